"""References: a zoo in a folder, in memory and on the web, whose files score as the videos and are verified."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest

from fvd_bench.errors import ArgumentError, NotComparableError, SourceError, UnknownReferenceError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.online.metric import FrechetVideoDistance
from fvd_bench.evaluation.statistics.making import make, make_moments, merge
from fvd_bench.features.references import resolving
from fvd_bench.features.references.reference import Reference, manifest_text, read_manifest
from fvd_bench.features.references.resolving import held, pull, resolve
from fvd_bench.features.references.zoo import Zoo
from fvd_bench.settings import Settings
from fvd_bench.sources import open_source
from tests.program import fvd_bench

NO_CACHE = Settings(cache=None)
ABOUT = {"set": "moving squares", "prepared": "", "licence": "CC0", "credit": ""}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory, write_pixels_protocol) -> str:
    written: str = write_pixels_protocol(tmp_path_factory.mktemp("protocol"))
    return written


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, two_sides, protocol: str) -> Path:
    path: Path = tmp_path_factory.mktemp("file") / "real.npz"
    make(two_sides[0], "real", protocol, repeats=2, settings=NO_CACHE).write(path)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    for name in ("FVD_BENCH_REFS", "FVD_BENCH_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "home" / "references"


@pytest.fixture
def reference(file: Path) -> Reference:
    return Reference.of(file, name="squares", **ABOUT)


@pytest.fixture
def zoo(tmp_path: Path, file: Path, reference: Reference) -> Path:
    Zoo(tmp_path / "zoo").add(reference, file)
    return tmp_path / "zoo"


@pytest.fixture
def on_the_web(zoo: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(zoo)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def in_memory(file: Path, reference: Reference) -> Iterator[str]:
    Zoo("memory://zoo").add(reference, file)
    yield "memory://zoo"
    fsspec.filesystem("memory").rm("/zoo", recursive=True)


@pytest.mark.parametrize("place", ["zoo", "on_the_web", "in_memory"])
def test_a_reference_scores_as_its_videos(
    place: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, two_sides, protocol: str, home: Path
) -> None:
    monkeypatch.setenv("FVD_BENCH_REFS", str(request.getfixturevalue(place)))
    videos = evaluate(*two_sides, protocol, repeats=2, settings=NO_CACHE)

    found = evaluate("refs:squares", two_sides[1], protocol, repeats=2, settings=NO_CACHE)

    assert found.scores == videos.scores
    assert found.real.fingerprint == videos.real.fingerprint
    assert found.real.path == resolve("squares").reference.shown
    if place != "zoo":  # the folder is read where it is
        monkeypatch.delenv("FVD_BENCH_REFS")
        shutil.rmtree(request.getfixturevalue("zoo"), ignore_errors=True)
        again = evaluate(found.real.path, two_sides[1], protocol, repeats=2, settings=NO_CACHE)
        assert again.scores == videos.scores, "what was fetched is kept, under its full name"


def test_the_real_side_of_a_metric_in_a_training_loop(zoo: Path, two_sides, protocol: str, monkeypatch) -> None:
    monkeypatch.setenv("FVD_BENCH_REFS", str(zoo))
    metrics = [FrechetVideoDistance(protocol, real=real, settings=NO_CACHE) for real in (two_sides[0], "refs:squares")]

    source = open_source(two_sides[1])
    videos = [source.video(n).frames(np.arange(9)) for n in range(len(source.names))]
    clips = np.stack([np.stack([frame.pixels for frame in frames]) for frames in videos])
    for metric in metrics:
        metric.update(fake=clips)

    assert metrics[1].compute() == metrics[0].compute()


def test_the_command_line_makes_lists_shows_fetches_and_uses_a_zoo(
    tmp_path: Path, file: Path, two_sides, protocol: str
) -> None:
    zoo = tmp_path / "zoo"
    about = ["--name", "squares", "--set", "moving squares", "--licence", "CC0"]
    pushed = fvd_bench("refs", "push", file, "--zoo", zoo, *about)
    name = pushed.stdout.strip()

    listed = fvd_bench("refs", "list", "--zoo", zoo, "--format", "json")
    shown = fvd_bench("refs", "show", name, FVD_BENCH_REFS=str(zoo))
    pulled = fvd_bench("refs", "pull", "squares", "--zoo", zoo)
    sides = ["--fake", two_sides[1], "--protocol", protocol, "--format", "score", "--quiet"]
    scores = [fvd_bench("compute", "--real", real, *sides) for real in (name, two_sides[0])]

    (entry,) = (table for table in json.loads(listed.stdout) if table["name"] == "squares")
    assert (entry["where"], entry["videos"], entry["licence"], entry["side"]) == (str(zoo), 6, "CC0", "real")
    assert list(entry["protocols"]) == ["pixels@1"] and name == f"refs:squares@{entry['digest'][:12]}"
    assert "moving squares" in shown.stdout and "pixels@1" in shown.stdout and "0 to 1" in shown.stdout
    assert pulled.stdout.strip() == name and pulled.returncode == 0, pulled.stderr
    assert scores[0].stdout == scores[1].stdout and scores[0].returncode == 0, scores[0].stderr


@pytest.mark.parametrize("place", ["folder", "memory://moments"])
def test_a_reference_of_moments_scores_as_its_videos(
    place: str, tmp_path: Path, two_sides, protocol: str, write_pixels_protocol
) -> None:
    zoo = str(tmp_path / place) if place == "folder" else place
    file = tmp_path / "moments.npz"
    make_moments(two_sides[0], "real", protocol, settings=NO_CACHE).write(file)
    pushed = fvd_bench(
        "refs", "push", file, "--zoo", zoo, "--name", "few", "--set", "moving squares", "--licence", "CC0"
    )
    videos = evaluate(*two_sides, protocol, settings=NO_CACHE)

    reference, _, is_fetched = pull("few", zoo)
    shown = fvd_bench("refs", "show", "few")
    found = evaluate("refs:few", two_sides[1], protocol, settings=NO_CACHE)

    assert (pushed.returncode, pushed.stdout.strip(), is_fetched) == (0, reference.shown, True), pushed.stderr
    assert (reference.holds, reference.videos, list(reference.protocols)) == ("moments", 6, ["pixels@1"])
    assert "moments" in shown.stdout
    assert found.value == pytest.approx(videos.value, rel=1e-9)
    assert (found.real.path, found.real.fingerprint) == (reference.shown, reference.fingerprint)
    other = write_pixels_protocol(tmp_path, frames=10)
    with pytest.raises(SourceError, match=r"refs:few@.* holds moments for pixels with the seed 0, and other clips"):
        evaluate("refs:few", two_sides[1], other, settings=NO_CACHE)
    with pytest.raises(SourceError, match=r"refs:few@.* holds moments for pixels with the seed 0, and other clips"):
        FrechetVideoDistance(other, real="refs:few", settings=NO_CACHE)
    make_moments(two_sides[0], "real", protocol, shard=(1, 2), settings=NO_CACHE).write(file)
    with pytest.raises(SourceError, match=r"is the shard 1/2: merge all first"):
        Reference.of(file, name="part", **ABOUT)


@pytest.mark.parametrize("place", ["zoo", "on_the_web", "in_memory"])
@pytest.mark.parametrize("damage", [lambda data: data[:-1] + b"x", lambda data: data + b"x", lambda data: data[:99]])
def test_a_file_that_is_not_what_its_digest_says_is_never_used(
    place: str, damage, request: pytest.FixtureRequest, reference: Reference, zoo: Path, home: Path, monkeypatch
) -> None:
    address = request.getfixturevalue(place)
    bad = damage((zoo / reference.file).read_bytes())
    (zoo / reference.file).write_bytes(bad)
    if place == "in_memory":
        fsspec.filesystem("memory").pipe_file(f"/zoo/{reference.file}", bad)

    with pytest.raises(SourceError, match=r"is damaged or another file|larger than it should be") as refused:
        pull("squares", address)
    monkeypatch.setenv("FVD_BENCH_REFS", str(address))
    with pytest.raises(SourceError, match=r"is damaged or another file|larger than it should be"):
        evaluate("refs:squares", "unseen", settings=NO_CACHE)

    assert "\n" not in str(refused.value)
    assert not list(home.rglob("*.npz")) and not list(home.rglob("*.part"))


def test_what_was_damaged_here_is_said_and_pulled_again(zoo: Path, two_sides, protocol: str) -> None:
    reference, copy, is_fetched = pull("squares", zoo)
    copy.write_bytes(b"damaged")

    with pytest.raises(SourceError, match=r"damaged or another file.*pull it again"):
        evaluate(reference.shown, two_sides[1], protocol, settings=NO_CACHE)
    assert is_fetched and pull("squares", zoo)[2]
    evaluate(reference.shown, two_sides[1], protocol, settings=NO_CACHE)


def test_pushes_at_one_time_lose_no_entry(tmp_path: Path, file: Path) -> None:
    def push(number: int) -> None:
        Zoo(place).add(Reference.of(file, name=f"squares-{number}", **ABOUT), file)

    for place in (str(tmp_path / "zoo"), "memory://many"):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(push, range(16)))
        assert {r.name for r in Zoo(place).references()} == {f"squares-{number}" for number in range(16)}
    fsspec.filesystem("memory").rm("/many", recursive=True)


def test_entries_written_by_hand_into_the_manifest_stay(zoo: Path, file: Path, reference: Reference) -> None:
    (zoo / reference.entry).unlink()

    Zoo(zoo).add(Reference.of(file, name="others", **ABOUT), file)
    Zoo(zoo).add(Reference.of(file, name="others", **{**ABOUT, "licence": "CC BY 4.0"}), file)

    assert [(r.name, r.licence) for r in Zoo(zoo).references()] == [("others", "CC BY 4.0"), ("squares", "CC0")]


def test_names_are_found_by_the_beginning_of_the_digest_and_else_refused(
    zoo: Path, reference: Reference, two_sides, protocol: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.npz"
    make(two_sides[0], "real", protocol, seed=5, settings=NO_CACHE).write(other)
    second = Reference.of(other, name="squares", **ABOUT)
    Zoo(zoo).add(second, other)

    assert resolve(f"refs:squares@{second.digest[:8]}", zoo).reference == second
    assert resolve(reference.key, zoo).reference == reference
    for name, message in (
        ("refs:squares", f"say which of .*{reference.shown}"),
        ("refs:square", "no reference is named 'square'; did you mean refs:squares"),
        ("refs:squares@abcx", f"digest that begins with 'abcx'; there is .*{second.shown}"),
    ):
        with pytest.raises(UnknownReferenceError, match=message) as refused:
            resolve(name, zoo)
        assert refused.value.exit_code == 2


def test_what_cannot_be_used_is_one_sentence(zoo: Path, two_sides, protocol: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FVD_BENCH_REFS", str(zoo))
    for statistics in ("refs:squares", zoo / resolve("squares").reference.file):
        with pytest.raises(SourceError, match="holds statistics of videos: expected videos"):
            open_source(statistics)
    with pytest.raises(SourceError, match=r"none\.npz does not exist"):
        Reference.of(tmp_path / "none.npz", name="none", **ABOUT)
    with pytest.raises(NotComparableError, match=r"refs:squares@.* holds features for the real side"):
        evaluate(two_sides[0], "refs:squares", protocol, settings=NO_CACHE)
    with pytest.raises(SourceError, match=r"refs:squares@.* was made for pixels, with the seeds 0 to 1"):
        evaluate("refs:squares", two_sides[1], protocol, seed=7, settings=NO_CACHE)
    part = make(two_sides[0], "real", protocol, shard=(1, 2), settings=NO_CACHE)
    part.write(tmp_path / "part.npz")
    with pytest.raises(SourceError, match="one shard of several: 3 of 6 videos are not in it"):
        Reference.of(tmp_path / "part.npz", name="part", **ABOUT)
    whole = merge({"1": part, "2": make(two_sides[0], "real", protocol, shard=(2, 2), settings=NO_CACHE)})
    whole.write(tmp_path / "whole.npz")
    with pytest.raises(ArgumentError, match=r"its name is .\.\./up"):
        Reference.of(tmp_path / "whole.npz", name="../up", **ABOUT)
    with pytest.raises(SourceError, match=r"holds no manifest\.json: expected a zoo"):
        held(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"cannot be written: .*push into a folder"):
        Zoo("http://127.0.0.1:1/").enter(resolve("squares").reference)


def test_offline_only_what_is_here_is_found(on_the_web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVD_BENCH_REFS", on_the_web)
    pull("squares")
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")

    assert resolve("squares").where == "pulled"
    with pytest.raises(SourceError, match="FVD_BENCH_OFFLINE is set"):
        resolve("circles")


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", "../../evil"), ("digest", "../../evil"), ("size", -1), ("videos", "6"), ("protocols", []), ("side", "x")],
)
def test_a_manifest_from_elsewhere_is_not_trusted(reference: Reference, key: str, value: object) -> None:
    table = json.loads(manifest_text([reference]))
    assert read_manifest(json.dumps(table).encode(), "it") == [reference]
    table["references"][0][key] = value

    with pytest.raises(SourceError, match="it cannot be read as a manifest of references"):
        read_manifest(json.dumps(table).encode(), "it")
    with pytest.raises(SourceError, match="it is of schema 2; this version reads 1"):
        read_manifest(b'{"schema": 2}', "it")
    with pytest.raises(SourceError, match=r"manifest of references: it has no 'schema'$"):
        read_manifest(b"{}", "it")


def test_names_of_a_manifest_are_shown_and_not_obeyed(zoo: Path, reference: Reference) -> None:
    table = json.loads((zoo / "manifest.json").read_text())
    table["references"][0]["set"] = "=HYPERLINK(1)\x1b[2J|[a](b)"
    (zoo / "manifest.json").write_text(json.dumps(table))

    texts = [fvd_bench("refs", "list", "--zoo", zoo, "--format", form).stdout for form in ("text", "csv", "markdown")]

    assert all("\x1b" not in text for text in texts) and r"\|\[a\](b)" in texts[2]
    assert resolving.PREFIX == "refs:"
