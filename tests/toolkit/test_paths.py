"""Paths of every call: pipes are not waited for, and ~ is a home folder."""

import os
from pathlib import Path

import pytest

from fvd_bench import Settings, evaluate
from fvd_bench.errors import ArgumentError, FvdBenchError, SourceError
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.manifest import evaluate_and_record
from fvd_bench.evaluation.manifest import load as load_manifest
from fvd_bench.evaluation.replay import replay
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.statistics.making import make
from fvd_bench.features.opening import open_side
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.networks import weights
from fvd_bench.paired.pairing import pair
from fvd_bench.paths import distinct_names, set_apart
from fvd_bench.protocols import paired, protocol


@pytest.mark.parametrize("name", "plain a.npy a.npz a.pt a.safetensors a.h5 a.pkl a.zip a.tar".split())
@pytest.mark.parametrize("opened", [lambda p: open_side(p, "real"), lambda p: make(p, "real")])
def test_a_pipe_is_no_side_and_is_not_waited_for(tmp_path: Path, name: str, opened) -> None:
    os.mkfifo(tmp_path / name)

    with pytest.raises(SourceError, match="is a pipe: expected a regular file"):
        opened(tmp_path / name)


def test_other_files_that_are_read_twice_are_no_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for opened in (StatsFile.read, lambda p: weights.load("i3d-kinetics-400", path=p)):
        with pytest.raises(FvdBenchError, match="is a pipe: expected a regular file"):
            opened(tmp_path / "pipe")


def test_devices_some_of_which_never_end_are_not_read(tmp_path: Path) -> None:
    for name in ("a.toml", "a.json", "a.csv"):
        (tmp_path / name).symlink_to(os.devnull)
    for opened, name in (
        (protocol.text, "a.toml"),
        (paired.text, "a.toml"),
        (load_manifest, "a.json"),
        (Result.read, "a.json"),
        (lambda table: pair(["a"], ["a"], table), "a.csv"),
    ):
        place = tmp_path / name
        with pytest.raises(FvdBenchError, match=f"{name} is a device: expected a file"):
            opened(place if name == "a.json" else str(place))


def test_an_empty_text_is_no_path(monkeypatch, two_sides, pixels_protocol) -> None:
    """Not the folder where one is, even if that has videos."""
    monkeypatch.chdir(two_sides[0])
    with pytest.raises(ArgumentError, match="a path is empty"):
        evaluate(two_sides[1], "", pixels_protocol(), settings=Settings(cache=None))
    with pytest.raises(ArgumentError, match="a path is empty"):
        Settings(cache="")


def test_nothing_is_no_path() -> None:
    with pytest.raises(ArgumentError, match="None is no path: expected a text or a Path"):
        load_manifest(None)  # type: ignore[arg-type]


def test_a_home_folder_is_meant_by_its_sign(tmp_path: Path, monkeypatch, two_sides, pixels_protocol) -> None:
    """In every path that the Python API takes; nothing named ~ appears."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    (home / "real").symlink_to(two_sides[0])
    (home / "fake").symlink_to(two_sides[1])
    (home / "p.toml").write_text(Path(pixels_protocol()).read_text())
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)

    settings = Settings(cache="~/store", weights={"i3d-kinetics-400": "~/weights"})
    result, used = evaluate_and_record("~/real", "~/fake", "~/p.toml", settings=settings)
    result.write(Path("~/result.json"))
    used.write(Path("~/used.json"))
    make("~/real", "real", "~/p.toml", settings=settings).write(Path("~/real.npz"))

    assert settings.weights == {"i3d-kinetics-400": home / "weights"}
    assert replay(load_manifest(Path("~/used.json")), "~/real", "~/fake", settings=settings).value == result.value
    again = evaluate(Path("~/real.npz"), "~/fake", "~/p.toml", settings=settings)
    assert again.value == result.value
    assert comparison.compare(Path("~/result.json"), Path("~/result.json")).scores[0].verdict == "same"
    assert (
        comparison.check("~/real", "~/fake", Path("~/result.json"), protocol=["~/p.toml"], settings=settings).failed
        is False
    )
    assert {file.name for file in home.iterdir()} >= {"store", "result.json", "used.json", "real.npz"}
    assert list(here.iterdir()) == []
    assert Settings(cache="~nobody-of-this-name/x").cache == Path("~nobody-of-this-name/x")


def test_a_user_without_a_home_folder_is_told_what_to_name(monkeypatch) -> None:
    """As in a container that runs as a user whom it does not know."""
    for name in ("HOME", "XDG_CACHE_HOME", "FVD_BENCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)

    with pytest.raises(ArgumentError, match=r"has no home folder.*name a folder for them by .* FVD_BENCH_HOME"):
        Settings()
    assert Settings(cache="store").cache == Path("store")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a/samples", "runs/b/samples"], ["a", "b"]),
        (["/x/a.npy", "/x/b.npy"], ["a.npy", "b.npy"]),
        (["a", "b/a"], ["a", "b/a"]),
        (["x/a/1", "x/b/2"], ["a/1", "b/2"]),
        (["x/a"], ["a"]),
        (["x/a", "x/a/"], ["a", "a"]),
        (["x", "x/a"], ["x", "x/a"]),
    ],
)
def test_paths_are_told_apart_by_what_differs(paths: list[str], names: list[str]) -> None:
    assert distinct_names(paths) == names


def test_names_that_are_the_same_are_numbered() -> None:
    names = ["a.mp4", "a (2).mp4", "a.mp4", "b", "a.mp4", "b"]

    assert set_apart(names) == ["a.mp4", "a (2).mp4", "a (3).mp4", "b", "a (4).mp4", "b (2)"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_that_an_editor_of_windows_wrote_are_read(tmp_path: Path, two_sides, pixels_protocol, end: str) -> None:
    result, manifest = evaluate_and_record(*two_sides, pixels_protocol(), settings=Settings(cache=None))
    texts = {"a.toml": protocol.text(pixels_protocol()), "p.toml": paired.text("common-metrics")}
    texts |= {"r.json": result.to_json(), "m.json": manifest.to_json()}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", end).encode())

    assert protocol.load(str(tmp_path / "a.toml")) == manifest.protocols[0]
    assert paired.text(str(tmp_path / "p.toml")) == paired.text("common-metrics")
    assert Result.read(tmp_path / "r.json").value == result.value
    assert load_manifest(tmp_path / "m.json") == manifest
