"""Addresses: a server on this machine and fsspec's own file systems, copied once, resumed, checked and never obeyed."""

import os
import re
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import pytest

from fvd_bench import Settings, evaluate
from fvd_bench.errors import SourceError
from fvd_bench.evaluation.statistics.making import make
from fvd_bench.progress import silent
from fvd_bench.sources import downloads
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.fetched import fetch
from fvd_bench.sources.opening import open_source
from tests.file_server import FileServer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames, write_video) -> Path:
    root: Path = tmp_path_factory.mktemp("address") / "fake"
    for n in range(3):
        write_video(root / "files" / f"{n} a.mkv", moving_frames(10, seed=n), codec="rawvideo", pix_fmt="bgr24")
    write_frames(root / "frames", moving_frames(10, seed=9))
    return root


@pytest.fixture(scope="module")
def packed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("packed") / "fake.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return file.read_bytes()


def _identity(side: Any) -> str:
    source = open_source(side)
    return fingerprint(source.names, (source.video(n).content() for n in range(len(source.names))))


def test_an_archive_a_folder_and_a_list_are_the_same_as_on_disk(
    server: FileServer, folder: Path, packed: bytes
) -> None:
    server.folder(folder, "/fake/")
    names = [*(f"files/{n}%20a.mkv" for n in range(3)), "frames/"]
    server.put("/fake/list.csv", b"video,label\nfiles/0 a.mkv,a\nfiles/1 a.mkv,a\nfiles/2 a.mkv,b\nframes,b\n")
    forms = [
        server.put("/fake.zip", packed),
        f"{server.address}/fake/",
        f"{server.address}/fake",
        f"{server.address}/fake/{{files,frames}}/",
        [f"{server.address}/fake/{name}" for name in names],
        f"{server.address}/fake/list.csv",
    ]

    assert [_identity(form) for form in forms] == [_identity(folder)] * len(forms)
    assert open_source(forms[-1]).columns == {"label": ["a", "a", "b", "b"]}  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize("scheme", ["memory", "local"])
def test_file_systems_of_fsspec_are_the_same_as_the_disk(server: FileServer, folder: Path, scheme: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/bucket/fake", recursive=True)
    address = "memory://bucket/fake" if scheme == "memory" else f"local://{folder}"

    assert _identity(address) == _identity(folder)
    assert list(open_source(f"{address}/files/*.mkv").names) == [f"{n} a.mkv" for n in range(3)]
    memory.rm("/bucket", recursive=True)


def test_the_digest_stands_in_the_form_of_the_side(server: FileServer, packed: bytes) -> None:
    import hashlib

    source = open_source(server.put("/fake.zip", packed))

    assert source.name == f"{server.address}/fake.zip"
    assert source.kind.endswith(f"in a zip archive, from an address (sha256 {hashlib.sha256(packed).hexdigest()[:16]})")


def test_what_did_not_change_is_copied_once_and_what_did_again(server: FileServer, packed: bytes) -> None:
    address = server.put("/fake.zip", packed)
    first = fetch(address, silent)
    once = server.gets("/fake.zip")

    assert fetch(address, silent) == first
    assert server.gets("/fake.zip") == once
    server.put("/fake.zip", packed + b"more", '"2"')
    assert fetch(address, silent).digest != first.digest
    server.put("/fake.zip", b"no tag", None)
    before = server.gets("/fake.zip"), fetch(address, silent)
    fetch(address, silent)
    assert server.gets("/fake.zip") > before[0] + 1, "without a tag it is not known whether it changed"


def test_a_copy_that_was_changed_here_is_made_again(server: FileServer, packed: bytes) -> None:
    address = server.put("/fake.zip", packed)
    copy = fetch(address, silent).files[0].place
    copy.write_bytes(b"damaged")

    assert fetch(address, silent).files[0].place.read_bytes() == packed


@pytest.mark.parametrize(
    ("ranges", "tag", "resumes"), [(True, '"1"', True), (False, '"1"', False), (True, '"2"', False)]
)
def test_an_interrupted_copy_goes_on_or_begins_anew(server: FileServer, ranges: bool, tag: str, resumes: bool) -> None:
    """The file is larger than what fsspec asks for at a time, so that it breaks off between two requests."""
    body = os.urandom(1 << 20) * 11
    address = server.put("/fake.zip", body)
    server.ranges, server.cut = ranges, 5 << 20
    with pytest.raises(SourceError, match=r"fake\.zip (cannot be read|: fake\.zip breaks off)"):
        fetch(address, silent)
    (partial,) = Path(os.environ["FVD_BENCH_HOME"]).rglob("*.part")
    held = partial.stat().st_size
    server.cut, body = None, body if tag == '"1"' else body[::-1]
    server.put("/fake.zip", body, tag)
    server.requests.clear()

    copy = fetch(address, silent)

    assert copy.files[0].place.read_bytes() == body
    assert held >= 4 << 20 or not ranges
    spans = [span for command, _, span in server.requests if command == "GET"]
    assert (spans[0] is not None and int(spans[0].removeprefix("bytes=").split("-")[0]) > 0) == resumes
    assert not list(Path(os.environ["FVD_BENCH_HOME"]).rglob("*.part"))


def test_bytes_of_an_older_version_are_part_of_no_copy(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the copy of the newer one ended before it began, as on a full disk."""
    body = os.urandom(1 << 20) * 11
    address = server.put("/fake.zip", body)
    server.cut = 5 << 20
    with pytest.raises(SourceError, match=r"breaks off|cannot be read"):
        fetch(address, silent)
    server.cut, newer = None, body[::-1]
    server.put("/fake.zip", newer, '"2"')
    with monkeypatch.context() as patched, pytest.raises(SourceError, match="hardly any space is left"):
        patched.setattr(downloads, "_LEFT_FREE_BYTES", 1 << 60)
        fetch(address, silent)

    assert fetch(address, silent).files[0].place.read_bytes() == newer


def test_a_file_that_changes_while_it_is_copied_is_refused(
    server: FileServer, packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.put("/fake.zip", packed)
    before = downloads.Download._append

    def change(self: downloads.Download, *given: object) -> None:
        before(self, *given)  # type: ignore[arg-type]
        server.put("/fake.zip", packed, '"2"')

    monkeypatch.setattr(downloads.Download, "_append", change)

    with pytest.raises(SourceError, match="changed while it was copied: run the same command again"):
        fetch(address, silent)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MOST_BYTES", 1000, r"has [0-9,]+ bytes, and at most 1,000 are copied: fetch it by a program"),
        ("_LEFT_FREE_BYTES", 1 << 60, "hardly any space is left .* FVD_BENCH_HOME"),
    ],
)
@pytest.mark.parametrize("ranges", [True, False])
def test_sizes_are_limited(
    server: FileServer,
    packed: bytes,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: int,
    message: str,
    ranges: bool,
) -> None:
    monkeypatch.setattr(downloads, name, value)
    server.ranges = ranges

    with pytest.raises(SourceError, match=message):
        fetch(server.put("/fake.zip", packed), silent)
    assert server.gets("/fake.zip") == 0


def test_no_name_leads_out_of_the_folder(server: FileServer, tmp_path: Path) -> None:
    names = ["../../../../evil.mp4", "%2e%2e/evil.mp4", "a/%2e%2e/%2e%2e/evil.mp4", "%2Fevil.mp4"]
    for name in names:
        server.put("/fake/", f'<a href="{server.address}/fake/{name}">x</a>'.encode())
        with pytest.raises(SourceError, match=r"a member named|holds no video|does not exist"):
            fetch(f"{server.address}/fake/", silent)
    assert not list(tmp_path.rglob("evil*"))


def test_the_name_of_one_file_leads_nowhere(server: FileServer) -> None:
    for path in ("/..%2F..%2Fevil.mp4", "/a%00b.mp4", "/-rf.mp4"):
        place = fetch(server.put(path, b"x"), silent).files[0].place
        assert place.parent.name == "files" and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", place.name)


@pytest.mark.parametrize("entry", ["/etc/passwd", "../up.mp4", "file:///etc/passwd", "memory://x.mp4", "a//b.mp4"])
def test_a_list_from_elsewhere_never_leads_to_files_of_this_machine(server: FileServer, entry: str) -> None:
    with pytest.raises(SourceError, match=r"list\.txt (leads to|has a member named)"):
        open_source(server.put("/list.txt", f"{entry}\n".encode()))


def test_a_dead_address_in_a_list_is_skipped_and_a_refusal_is_not(
    server: FileServer, folder: Path, tmp_path: Path
) -> None:
    file = next((folder / "files").iterdir())
    alive = server.put("/0.mkv", file.read_bytes())
    (tmp_path / "list.txt").write_text(f"{alive}\n{server.address}/gone.mkv\n{file}\n")

    source = open_source(tmp_path / "list.txt")

    assert len(source.names) == 3 and any(name.endswith("gone.mkv") for name in source.names)
    with pytest.raises(SourceError, match="cannot be read: 403"):
        open_source([alive, f"{server.address}/secret.mkv"])


def test_passwords_and_tokens_are_not_shown(server: FileServer, packed: bytes, tmp_path: Path) -> None:
    server.put("/fake.zip", packed)
    with_login = server.address.replace("://", "://anna:pass@")

    source = open_source(f"{with_login}/fake.zip?token=12345")
    with pytest.raises(SourceError) as refused:
        open_source(f"{with_login}/secret.zip?token=12345")

    shown = f"{source.name} {source.kind} {list(source.notes)} {refused.value}"
    kept = [file.read_text() for file in (tmp_path / "home").rglob("*.json")]
    assert kept and not any(secret in text for secret in ("pass@", "12345") for text in (shown, *kept))


def test_videos_of_a_list_whose_addresses_differ_in_their_query_are_all_used(server: FileServer, folder: Path) -> None:
    address = server.put("/get.mkv", (folder / "files" / "0 a.mkv").read_bytes())

    source = open_source([f"{address}?id=1", f"{address}?id=2", f"{address}?id=1"])

    assert list(source.names) == ["get.mkv", "get (2).mkv"]
    assert source.notes == ("list of 3 paths: 1 of 3 names is given again; each is used once",)


def test_offline_the_last_copy_is_used(server: FileServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.folder(folder, "/fake/")
    address = f"{server.address}/fake/"
    before = fetch(address, silent)
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    server.requests.clear()

    assert fetch(address, silent) == before
    with pytest.raises(SourceError, match="was not copied yet, and FVD_BENCH_OFFLINE is set"):
        fetch(f"{address}other.zip", silent)
    assert not server.requests


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://bucket/fake.zip", "s3 needs s3fs|pip install s3fs|cannot be read|does not exist"),
        ("nosuch://x/y.zip", "Protocol not known: nosuch; expected http, https, s3, gs, hf"),
        ("zip://a.mp4::https://x/y.zip", "an address inside another"),
        ("http://127.0.0.1:1/fake.zip", "cannot be read: .*run the same command again"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(server: FileServer, address: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        open_source(address)
    assert "\n" not in str(error.value)


def test_progress_counts_files(server: FileServer, folder: Path) -> None:
    server.folder(folder, "/fake/")
    told: list[tuple[str, int, int]] = []

    fetch(f"{server.address}/fake/", lambda *step: told.append(step))

    assert told[-1] == (f"copying {server.address}/fake/", 13, 13)


def test_statistics_at_an_address_are_a_side(server: FileServer, two_sides, pixels_protocol, tmp_path: Path) -> None:
    make(two_sides[0], "real", pixels_protocol(), settings=Settings(cache=None)).write(tmp_path / "real.npz")
    address = server.put("/real.npz", (tmp_path / "real.npz").read_bytes())

    here, there = (
        evaluate(real, two_sides[1], pixels_protocol(), settings=Settings(cache=None))
        for real in (two_sides[0], address)
    )

    assert there.value == pytest.approx(here.value, rel=0, abs=1e-9)
    assert (there.real.path, there.real.fingerprint) == (address, here.real.fingerprint)
