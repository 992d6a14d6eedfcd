"""Tar archives and shards: the same as the folder they were made from, and nothing in one is believed."""

import gzip
import io
import os
import random
import tarfile
import tempfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import SourceError, VideoError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.sources import archives, scratch
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Video
from tests.forked import Program

NO_CACHE = Settings(cache=None)


def _info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def _tar(file: Path, *given: tuple[str | tarfile.TarInfo, bytes]) -> Path:
    """Members as (name or header, bytes)."""
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in given:
            info = _info(name, len(data)) if isinstance(name, str) else name
            archive.addfile(info, io.BytesIO(data))
    return file


def _pixels(video: Video) -> np.ndarray:
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


@pytest.fixture(scope="module")
def frames(tmp_path_factory, moving_frames, write_frames) -> Path:
    """JPEG frame folders at two depths, with names that are prefixes of each other."""
    root = tmp_path_factory.mktemp("frames")
    for number, name in enumerate(["x", "x-1", "x 1", "deep/x", "deep/x/y"]):
        write_frames(root / name, moving_frames(11, seed=number), suffix=".jpg", quality=95)
    return root


@pytest.mark.parametrize("pax", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("top", [".", ""])
def test_an_archive_is_the_folder_it_was_made_from(
    tmp_path: Path, frames: Path, two_sides, pixels_protocol, pax: int, top: str
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=pax) as archive:
        for path in [frames] if top else sorted(frames.iterdir(), reverse=True):
            archive.add(path, top or path.name)
    protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')

    folder = evaluate(two_sides[0], frames, protocol, settings=NO_CACHE)
    packed = evaluate(two_sides[0], tmp_path / "a.tar", protocol, settings=NO_CACHE)

    assert open_source(tmp_path / "a.tar").names == open_source(frames).names
    assert packed.fake.fingerprint == folder.fake.fingerprint
    assert packed.value == pytest.approx(folder.value, rel=1e-9)
    assert packed.fake.kind == "frame folders in a tar archive"


def test_long_names_and_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    names = ["a" * 300 + ".mp4", "b" * 60 + "/" + "ä" * 80 + ".mp4", os.fsdecode(b"\xff.mp4")]

    source = open_source(_tar(tmp_path / "a.tar", *((name, b"x") for name in names)))

    assert sorted(source.names) == sorted(names)


def test_what_is_no_video_is_left_out(tmp_path: Path) -> None:
    names = "v.mp4 v.json v.cls v/0.png .v/0.png ./._v.mp4 __MACOSX/v.mp4".split()

    assert list(open_source(_tar(tmp_path / "a.tar", *((n, b"x") for n in names))).names) == ["v", "v.mp4"]


def test_the_ending_of_the_name_does_not_matter(tmp_path: Path) -> None:
    assert list(open_source(_tar(tmp_path / "a.dataset", ("v.mp4", b"x"))).names) == ["v.mp4"]


def test_several_threads_read_at_once(frames: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        archive.add(frames, ".")
    folder, source = open_source(frames), open_source(tmp_path / "a.tgz")
    expected = [_pixels(folder.video(i)) for i in range(len(folder.names))]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: _pixels(source.video(i % len(expected))), range(30)))

    for place, pixels in enumerate(found):
        np.testing.assert_array_equal(pixels, expected[place % len(expected)])


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["../v.mp4", "a/../../v.mp4", "/etc/v.mp4", "C:/v.mp4", "a\\v.mp4", "a//v.mp4", "a/./v.mp4", "././v.mp4"],
    )
    def test_those_that_lead_elsewhere_refuse_the_archive(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(SourceError, match=r"has a member named .*expected relative paths"):
            open_source(_tar(tmp_path / "a.tar", ("good.mp4", b"x"), (name, b"x")))

    @pytest.mark.parametrize("names", [("v.mp4", "v.mp4"), ("v.mp4", "./v.mp4"), ("v.mp4", "v.mp4/deep/0.png")])
    def test_two_members_of_one_name_refuse_the_archive(self, tmp_path: Path, names: tuple[str, str]) -> None:
        with pytest.raises(SourceError, match=r"'v\.mp4' for one"):
            open_source(_tar(tmp_path / "a.tar", *((name, b"x") for name in names)))


class TestMembers:
    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
    def test_a_link_or_device_costs_its_video_alone(self, tmp_path: Path, two_sides, pixels_protocol, kind) -> None:
        info = _info("v.mkv", kind=kind)
        info.linkname = str(two_sides[0] / "0.mkv")
        good = [(f"{n}.mkv", (two_sides[1] / f"{n}.mkv").read_bytes()) for n in range(4)]
        file = _tar(tmp_path / "a.tar", *good, (info, b""))

        score = evaluate(two_sides[0], file, pixels_protocol(), settings=NO_CACHE).scores[0]

        (skipped,) = score.fake.skipped
        assert "v.mkv in the archive is a link, a device or sparse" in skipped.reason
        assert score.fake.clips == 4

    def test_one_that_is_too_large_for_memory_is_refused(self, tmp_path: Path, monkeypatch) -> None:
        file = _tar(tmp_path / "a.tar", ("v.mkv", b"x" * 101))
        monkeypatch.setattr(archives, "_MOST_VIDEO_BYTES", 100)

        with pytest.raises(VideoError, match="has 101 bytes, at most 100 are read"):
            open_source(file).video(0).content()


def _with_size(info: tarfile.TarInfo, field: bytes) -> bytes:
    """A header whose size says something else."""
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = field
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


NEGATIVE = b"\xff" * 10 + b"\xfe\x00"  # -512 in base 256
HUGE = b"\x80" + b"\x7f" * 11


class TestDamage:
    @pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.DIRTYPE])
    @pytest.mark.parametrize("size", [NEGATIVE, HUGE, b"00001000000\0"])
    def test_sizes_that_cannot_be_are_refused_at_once(self, tmp_path: Path, kind: bytes, size: bytes) -> None:
        """A negative one would send a reader back for ever, a huge one would fill its memory."""
        good = _info("v.mp4", 512).tobuf(tarfile.GNU_FORMAT) + b"x" * 512
        (tmp_path / "a.tar").write_bytes(good + _with_size(_info("w.mp4", kind=kind), size) + b"y" * 512 + bytes(1024))

        tracemalloc.start()
        with pytest.raises(SourceError, match=r"a\.tar(:| cannot be read as a tar archive)"):
            open_source(tmp_path / "a.tar")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak < 2**22

    @pytest.mark.parametrize(
        ("keep", "message"),
        [
            (0, r"cannot be read as a tar archive \(empty file\): expected a whole .tar file"),
            (100, r"cannot be read as a tar archive \(truncated header\)"),
            (600, r"its member 'v.mp4' has 900 bytes, more than are left in the archive of 600; it is cut off"),
            (1500, r"cannot be read as a tar archive \(unexpected end of data\)"),
            (9000, r"its member 'w.mp4' has 9,000 bytes, more than are left in the archive of 9,000; it is cut off"),
        ],
    )
    def test_one_that_is_cut_off_is_told(self, tmp_path: Path, keep: int, message: str) -> None:
        file = _tar(tmp_path / "a.tar", ("v.mp4", b"x" * 900), ("w.mp4", b"x" * 9000))
        file.write_bytes(file.read_bytes()[:keep])

        with pytest.raises(SourceError, match=message):
            open_source(file)

    def test_one_that_is_cut_off_after_it_was_opened_is_told(self, tmp_path: Path) -> None:
        file = _tar(tmp_path / "a.tar", ("v.mkv", b"x" * 900))
        source = open_source(file)
        os.truncate(file, 1000)

        with pytest.raises(VideoError, match=r"v\.mkv in the archive breaks off: 488 of 900 bytes are there"):
            source.video(0).content()

    def test_one_without_an_end_is_noted(self, tmp_path: Path) -> None:
        file = _tar(tmp_path / "a.tar", ("v.mp4", b"x" * 512), ("w.mp4", b"x" * 512))
        file.write_bytes(file.read_bytes()[:1024])

        (note,) = open_source(file).notes

        assert "no end is marked in this archive; if it was cut off, videos are missing" in note

    @pytest.mark.parametrize("damaged", [True, False], ids=["damaged header", "joined archives"])
    def test_members_that_tarfile_would_leave_out_without_a_word(self, tmp_path: Path, damaged: bool) -> None:
        data = _tar(tmp_path / "a.tar", ("v.mp4", b"x"), ("w.mp4", b"x")).read_bytes()
        (tmp_path / "b.tar").write_bytes(data[:1024] + b"?" + data[1025:] if damaged else data + data)

        with pytest.raises(SourceError, match="neither a member nor the end: the archive is damaged, or several"):
            open_source(tmp_path / "b.tar")

    def test_whatever_is_damaged_is_an_error_of_ours(self, tmp_path: Path) -> None:
        good = _tar(tmp_path / "a.tar", *((f"v{v}/{t}.png", os.urandom(99)) for v in range(2) for t in range(3)))
        data, rng = good.read_bytes()[:7168], random.Random(5)
        reasons = set()
        for _ in range(500):
            bad = bytearray(data)
            for _ in range(rng.choice([1, 1, 2, 5])):
                block = 512 * rng.randrange(len(bad) // 512)
                bad[block + rng.randrange(512)] = rng.randrange(256)
            (tmp_path / "bad.tar").write_bytes(bad[: rng.choice([len(bad), len(bad), rng.randrange(len(bad))])])
            try:
                source = open_source(tmp_path / "bad.tar")
                for index in range(len(source.names)):
                    source.video(index).state()
                    source.video(index).content()
            except (SourceError, VideoError) as error:
                reasons.add(type(error))

        assert SourceError in reasons


class TestCompression:
    def test_a_bomb_fills_no_disk(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(scratch, "RATIO_FROM_BYTES", 1 << 20)
        monkeypatch.setattr(scratch, "_CHUNK_BYTES", 1 << 18)
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(1 << 24), 9))

        with pytest.raises(SourceError, match=r"a\.tar\.gz grows from .* to more than .* unpack it if you trust it"):
            open_source(tmp_path / "a.tar.gz")

    def test_no_room_says_where(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(scratch, "_LEFT_FREE_BYTES", 1 << 60)
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(_tar(tmp_path / "a.tar", ("v.mp4", b"x")).read_bytes()))

        with pytest.raises(SourceError, match=r"needs a temporary file in .*hardly any space is left.*TMPDIR"):
            open_source(tmp_path / "a.tar.gz")

    @pytest.mark.parametrize("mode", ["gz", "xz", "bz2"])
    def test_one_that_breaks_off_is_told(self, tmp_path: Path, mode: str) -> None:
        with tarfile.open(tmp_path / f"a.tar.{mode}", f"w:{mode}") as archive:  # type: ignore[call-overload]
            archive.addfile(_info("v.mp4", 9999), io.BytesIO(os.urandom(9999)))
        whole = (tmp_path / f"a.tar.{mode}").read_bytes()
        (tmp_path / f"a.tar.{mode}").write_bytes(whole[: len(whole) // 2])

        with pytest.raises(SourceError, match=r"cannot be unpacked|cannot be read as a tar archive|cut off or damaged"):
            open_source(tmp_path / f"a.tar.{mode}")

    def test_zstandard_says_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "a.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))

        with pytest.raises(SourceError, match=r"packed by Zstandard: unpack it with `zstd -d a.tar.zst`"):
            open_source(tmp_path / "a.tar.zst")

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux shows them")
    def test_nothing_is_left(self, tmp_path: Path, monkeypatch, frames: Path) -> None:
        (tmp_path / "tmp").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
            archive.add(frames, ".")
        before = len(list(Path("/proc/self/fd").iterdir()))

        source = open_source(tmp_path / "a.tar.gz")
        assert _pixels(source.video(0)).any()
        assert list((tmp_path / "tmp").iterdir()) == []
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
        del source

        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestShards:
    def _shards(self, folder: Path, *contents: list[str], suffix: str = ".tar") -> Path:
        folder.mkdir()
        for number, names in enumerate(contents):
            _tar(folder / f"s-{number:02d}{suffix}", *((name, f"{number}{name}".encode()) for name in names))
        return folder

    def test_names_are_those_of_the_members(self, tmp_path: Path) -> None:
        folder = self._shards(tmp_path / "f", ["b.mp4", "b.json"], ["a.mp4", "a.json"], ["c/0.png", "c/1.png"])

        source = open_source(folder)

        assert list(source.names) == ["a.mp4", "b.mp4", "c"]
        assert source.kind == "video files and frame folders in 3 tar shards"
        assert list(source.notes) == []
        assert list(open_source(str(folder / "s-{00..01}.tar")).names) == ["a.mp4", "b.mp4"]
        assert list(open_source(str(folder / "s-{02,00}.tar")).names) == ["b.mp4", "c"]

    def test_names_that_are_in_two_shards_get_these_in_front(self, tmp_path: Path) -> None:
        source = open_source(self._shards(tmp_path / "f", ["a.mp4", "b.mp4"], ["a.mp4", "c.mp4"]))

        assert list(source.names) == ["s-00/a.mp4", "s-00/b.mp4", "s-01/a.mp4", "s-01/c.mp4"]
        (note,) = source.notes
        assert "1 name is in more than one shard, a.mp4 for one; the name of its shard is put before" in note
        assert len({source.video(i).content() for i in range(4)}) == 4

    def test_sidecars_of_one_name_do_not_count(self, tmp_path: Path) -> None:
        source = open_source(self._shards(tmp_path / "f", ["a.mp4", "meta.json"], ["b.mp4", "meta.json"]))

        assert list(source.names) == ["a.mp4", "b.mp4"]

    def test_shards_in_folders_are_told_apart_by_these(self, tmp_path: Path) -> None:
        self._shards(tmp_path / "f", [])
        for part in ("x", "y"):
            self._shards(tmp_path / "f" / part, ["a.mp4"])

        assert list(open_source(tmp_path / "f").names) == ["x/s-00/a.mp4", "y/s-00/a.mp4"]

    def test_shards_that_differ_in_their_suffix_alone_lose_no_video(self, tmp_path: Path) -> None:
        folder = self._shards(tmp_path / "f", ["a.mp4"])
        plain = _tar(tmp_path / "other.tar", ("a.mp4", b"another"))
        (folder / "s-00.tar.gz").write_bytes(gzip.compress(plain.read_bytes()))

        source = open_source(folder)

        assert list(source.names) == ["s-00 (2)/a.mp4", "s-00/a.mp4"]
        assert len({source.video(i).content() for i in range(2)}) == 2

    def test_a_name_of_two_videos_is_refused(self, tmp_path: Path) -> None:
        """The shard f/s-00 has b/a.mp4, and the shard f/s-00/b has a.mp4."""
        folder = self._shards(tmp_path / "f", ["b/a.mp4", "b.mp4"])
        (folder / "s-00").mkdir()
        _tar(folder / "s-00" / "b.tar", ("a.mp4", b"1"), ("b.mp4", b"2"))

        with pytest.raises(SourceError, match=r"'s-00/b/a.mp4' for one: it is not said which is meant"):
            open_source(folder)

    def test_columns_of_a_list_of_shards_are_told_to_be_left_out(self, tmp_path: Path) -> None:
        self._shards(tmp_path / "f", ["a.mp4"], ["b.mp4"])
        listed = tmp_path / "list.csv"
        listed.write_text("path,class\nf/s-00.tar,dog\nf/s-01.tar,cat\n")

        source = open_source(listed)

        assert list(source.names) == ["a.mp4", "b.mp4"]
        (note,) = source.notes
        assert note.endswith("what it says of tar shards (class) is not of the videos in them: left out")

    def test_archives_beside_videos_are_left_out_and_told(self, tmp_path: Path) -> None:
        folder = self._shards(tmp_path / "f", ["a.mp4"])
        (folder / "v.mp4").write_bytes(b"x")

        source = open_source(folder)

        assert list(source.names) == ["v.mp4"]
        assert "1 tar archive beside the videos is left out" in source.notes[0]

    def test_one_that_is_missing_or_bad_is_named(self, tmp_path: Path) -> None:
        folder = self._shards(tmp_path / "f", ["a.mp4"], ["../b.mp4"])

        with pytest.raises(SourceError, match=r"s-02\.tar: No such file"):
            open_source(str(folder / "s-{00,02}.tar"))
        with pytest.raises(SourceError, match=r"s-01\.tar has a member named '\.\./b\.mp4'"):
            open_source(folder)

    @pytest.mark.parametrize("pattern", ["s-{9..1}.tar", "s-{a..c}.tar", "s-{0..999999}.tar", "{1..999}{1..999}.tar"])
    def test_patterns_that_cannot_be_meant_are_refused(self, pattern: str) -> None:
        with pytest.raises(SourceError, match=r"no range of numbers|expected braces such as|at most 100,000"):
            open_source(pattern)


def test_memory_stays_flat_over_many_members(tmp_path: Path) -> None:
    """A header of tarfile takes 1 KB; what is kept takes a fifth of that."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(5_000):
            archive.addfile(_info(f"v{number // 100:03d}/{number % 100}.png"))
    program = (
        "import sys, tracemalloc\n"
        "from fvd_bench.sources.opening import open_source\n"
        "tracemalloc.start()\n"
        "source = open_source(sys.argv[1])\n"
        "print(len(source.names), tracemalloc.get_traced_memory()[1])\n"
    )

    done = Program("-c", program, tmp_path / "a.tar").end()

    videos, peak = map(int, done.stdout.split())
    assert videos == 50
    assert peak < 5_000 * 1000
