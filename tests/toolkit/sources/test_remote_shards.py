"""Tar shards that are read at their addresses, in parts."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import fsspec
import pytest

from fvd_bench import Settings, evaluate
from fvd_bench.errors import SourceError
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.features.stats_places import read_at
from fvd_bench.sources import remote_shards, tars
from fvd_bench.sources.opening import open_source
from tests.program import fvd_bench

SETTINGS = Settings(cache=None, device="cpu")


@pytest.fixture(scope="module")
def videos(tmp_path_factory, moving_frames, write_video) -> Path:
    root: Path = tmp_path_factory.mktemp("videos")
    for n in range(4):
        write_video(root / f"{n}.mkv", moving_frames(12, seed=n), codec="rawvideo", pix_fmt="bgr24")
    return root


@pytest.fixture(scope="module")
def shards(videos: Path, tmp_path_factory) -> Path:
    """Two shards as WebDataset writes them, with a label beside each video."""
    root: Path = tmp_path_factory.mktemp("shards")
    for number in range(2):
        with tarfile.open(root / f"{number:03d}.tar", "w") as out:
            for name in (f"{2 * number}", f"{2 * number + 1}"):
                out.add(videos / f"{name}.mkv", f"{name}.mkv")
                label = tarfile.TarInfo(f"{name}.json")
                label.size = 2
                out.addfile(label, io.BytesIO(b"{}"))
    return root


@pytest.fixture
def served(server, shards: Path) -> str:
    server.folder(shards, above="/set/")
    return f"{server.address}/set/{{000..001}}.tar"


def test_shards_score_as_the_copy_of_them(served, server, shards, videos, pixels_protocol, tmp_path: Path) -> None:
    protocol = pixels_protocol()

    there = evaluate(served, videos, protocol, settings=SETTINGS)
    here = evaluate(shards, videos, protocol, settings=SETTINGS)

    assert there.scores == here.scores
    assert there.real.fingerprint == here.real.fingerprint
    assert there.real.kind == "video files in 2 tar shards, read at their addresses"
    assert not (tmp_path / "home" / "downloads").exists()


def test_shards_whose_addresses_differ_in_their_query_are_all_used(served, server) -> None:
    source = open_source(f"{server.address}/set/000.tar?part={{1,2}}")

    assert list(source.names) == ["000 (2)/0.mkv", "000 (2)/1.mkv", "000/0.mkv", "000/1.mkv"]
    assert len({source.video(index).state() for index in range(4)}) == 4  # by which contents are remembered


def test_no_request_is_for_more_than_a_video(served, server, videos) -> None:
    """Nor is any made without the part that is wanted."""
    largest = max(file.stat().st_size for file in videos.iterdir())
    source = open_source(served)
    assert [source.video(index).num_frames for index in range(4)] == [12] * 4

    spans = [asked for command, path, asked in server.requests if command == "GET" and path.endswith(".tar")]
    lengths = [int(last) - int(first) + 1 for first, last in (span[6:].split("-") for span in spans)]
    assert max(lengths) <= max(largest, tars._AHEAD_BYTES)


def test_they_are_read_by_other_processes_without_a_new_look_at_headers(served, server) -> None:
    source = open_source(served)
    asked = len(server.requests)

    again = pickle.loads(pickle.dumps(source))

    assert len(server.requests) == asked
    assert [again.video(index).content() for index in range(4)] == [source.video(n).content() for n in range(4)]


def test_a_pattern_in_memory(shards: Path) -> None:
    for file in shards.iterdir():
        fsspec.filesystem("memory").pipe_file(f"/pattern/{file.name}", file.read_bytes())

    assert list(open_source("memory://pattern/*.tar").names) == ["0.mkv", "1.mkv", "2.mkv", "3.mkv"]


def test_a_server_that_knows_no_parts_is_copied_from(served, server) -> None:
    server.ranges = False

    assert "from an address" in open_source(f"{server.address}/set/000.tar").kind


def test_a_shard_that_is_not_there_or_not_permitted_is_named(served, server, shards: Path) -> None:
    del server.files["/set/001.tar"]
    with pytest.raises(SourceError, match=r"/set/001\.tar does not exist"):
        open_source(served)
    server.put("/secret/a.tar", b"")
    del server.files["/secret/a.tar"]
    with pytest.raises(SourceError, match=r"/secret/a\.tar cannot be read: 403"):
        open_source(f"{server.address}/secret/a.tar")


def test_a_video_that_is_lost_in_the_middle_is_skipped(served, server, pixels_protocol, videos, monkeypatch) -> None:
    monkeypatch.setattr(remote_shards, "_WAIT_SECONDS", 0.0)
    source = open_source(served)
    server.files["/set/001.tar"] = server.files["/set/001.tar"][:600]

    result = evaluate(source, videos, pixels_protocol(), settings=SETTINGS)

    skipped = result.scores[0].real.skipped
    assert [each.video for each in skipped] == ["2.mkv", "3.mkv"]


def test_a_shard_that_changes_is_noticed(served, server, monkeypatch) -> None:
    source = open_source(served)
    before = source.video(0).state()
    server.tags["/set/000.tar"] = '"2"'
    assert source.video(0).state() == before
    monkeypatch.setattr(remote_shards, "_TRUST_SECONDS", -1.0)

    assert source.video(0).state() != before


def test_statistics_go_to_addresses_and_come_from_them(videos, server, pixels_protocol, tmp_path: Path) -> None:
    given = ["stats", videos, "--side", "real", "--protocol", pixels_protocol(), "--no-cache", "--out"]
    assert fvd_bench(*given, tmp_path / "here.npz").returncode == 0
    for shard in (1, 2):
        done = fvd_bench(*given, f"memory://statistics/{shard}.npz", "--shard", f"{shard}/2")
        assert done.returncode == 0, done.stderr
    joined = fvd_bench(
        "merge", "memory://statistics/1.npz", "memory://statistics/2.npz", "--out", "memory://statistics/all.npz"
    )
    assert joined.returncode == 0, joined.stderr

    file = StatsFile.read(tmp_path / "here.npz")
    there = read_at("memory://statistics/all.npz")
    assert isinstance(there, StatsFile) and there.entries.keys() == file.entries.keys()
    place = server.put("/real.npz", fsspec.filesystem("memory").cat_file("/statistics/all.npz"))
    score = ["compute", "--fake", videos, "--protocol", pixels_protocol(), "--no-cache", "--format", "score", "--real"]
    assert fvd_bench(*score, place).stdout == fvd_bench(*score, tmp_path / "here.npz").stdout != ""


def test_an_address_that_nothing_can_be_written_to_is_known_before_any_work(videos, server, pixels_protocol) -> None:
    given = ["stats", videos, "--side", "real", "--protocol", pixels_protocol(), "--no-cache", "--out"]

    done = fvd_bench(*given, f"{server.address}/real.npz")

    assert done.returncode == 3
    assert "cannot be written: servers on the web are only read" in done.stderr
    assert "Traceback" not in done.stderr
