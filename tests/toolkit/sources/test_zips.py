"""Zip archives as a side: the same as the folder they were made from, and nothing in one is believed."""

import os
import random
import re
import stat
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import SourceError, VideoError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.sources import zips as archives
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Video

NO_CACHE = Settings(cache=None)
DEFLATED = zipfile.ZIP_DEFLATED


def _zip(file: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, compression  # the constructor would cut names at a NUL
            archive.writestr(info, data)
    return file


def _pixels(video: Video) -> np.ndarray:
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


def _patch_directory(file: Path, member: str, offset: int, value: bytes) -> None:
    """Overwrite a field of a member's entry in the directory; offset: from the entry's start."""
    data = bytearray(file.read_bytes())
    entry = data.rindex(member.encode()) - 46
    assert data[entry : entry + 4] == b"PK\1\2"
    data[entry + offset : entry + offset + len(value)] = value
    file.write_bytes(data)


FLAGS, METHOD, CRC, PACKED, SIZE, ATTRIBUTES = 8, 10, 16, 20, 24, 38


@pytest.mark.parametrize(("compression", "entries"), [(zipfile.ZIP_STORED, False), (DEFLATED, True)])
@pytest.mark.parametrize("form", ["frame folders", "video files"])
def test_an_archive_is_the_folder_it_was_made_from(
    tmp_path: Path, zip_folder, two_sides, frame_sides, pixels_protocol, form: str, compression: int, entries: bool
) -> None:
    real, fake = two_sides if form == "video files" else frame_sides
    protocol = pixels_protocol(images='jpeg = { fake = "unless-jpeg" }')
    zips = [
        zip_folder(side, tmp_path / f"{side.name}.zip", compression=compression, entries=entries)
        for side in (real, fake)
    ]

    folder = evaluate(real, fake, protocol, repeats=2, settings=NO_CACHE)
    packed = evaluate(*zips, protocol, repeats=2, settings=Settings(cache=None, workers=4))

    for path, archive in zip((real, fake), zips, strict=True):
        assert open_source(archive).names == open_source(path).names
    assert (packed.real.fingerprint, packed.fake.fingerprint) == (folder.real.fingerprint, folder.fake.fingerprint)
    assert (packed.real.kind, packed.real.path) == (f"{form} in a zip archive", str(zips[0]))
    assert packed.scores[0].values == pytest.approx(folder.scores[0].values, rel=1e-9)
    assert packed.motion == folder.motion
    assert [w.code for w in packed.warnings] == [w.code for w in folder.warnings]


def test_a_folder_at_the_top_is_part_of_the_names(tmp_path: Path, zip_folder, frame_sides) -> None:
    """As it is for the folder that holds it."""
    parent = frame_sides[0].parent

    source = open_source(zip_folder(parent, tmp_path / "both.zip"))

    assert source.names == open_source(parent).names
    assert "real/deep/x/y" in source.names


def test_what_is_no_video_is_left_out(tmp_path: Path) -> None:
    names = "v.mp4 dataset.json v/readme.txt v/0.png .v/0.png w/.0.png __MACOSX/v.mp4 __MACOSX/v/0.png".split()

    source = open_source(_zip(tmp_path / "a.zip", dict.fromkeys(names, b"x")))

    assert list(source.names) == ["v", "v.mp4"]


def test_frames_are_in_numeric_order_whatever_their_order_in_the_archive(
    tmp_path: Path, zip_folder, moving_frames, write_frames
) -> None:
    frames = moving_frames(12)
    write_frames(tmp_path / "side" / "v", frames)

    source = open_source(zip_folder(tmp_path / "side", tmp_path / "a.zip"))

    np.testing.assert_array_equal(_pixels(source.video(0)), frames)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp", ".tif"])
def test_every_format_of_frames_is_read_from_memory_as_from_disk(
    tmp_path: Path, zip_folder, moving_frames, write_frames, suffix: str
) -> None:
    options = {"compression": "tiff_lzw"} if suffix == ".tif" else {}
    write_frames(tmp_path / "side" / "v", moving_frames(3), suffix=suffix, **options)
    folder = open_source(tmp_path / "side").video(0)

    packed = open_source(zip_folder(tmp_path / "side", tmp_path / "a.zip", compression=DEFLATED)).video(0)

    np.testing.assert_array_equal(_pixels(packed), _pixels(folder))
    assert packed.content() == folder.content()
    qualities = [[f.jpeg_quality for f in video.frames(np.arange(3))] for video in (packed, folder)]
    assert qualities[0] == qualities[1]


def test_frames_at_the_top_explain_themselves(tmp_path: Path) -> None:
    source = open_source(_zip(tmp_path / "a.zip", {"1.jpg": b"x", "0.jpg": b"x"}))

    assert list(source.names) == ["0.jpg", "1.jpg"]
    assert "each of its 2 images is taken for a video of one frame" in source.notes[0]


class TestWhatIsNoArchive:
    @pytest.mark.parametrize("keep", [0, 10, -1, -30])
    def test_a_directory_that_is_cut_off_is_told(self, tmp_path: Path, keep: int) -> None:
        file = _zip(tmp_path / "a.zip", {"v/0.png": b"x" * 100})
        file.write_bytes(file.read_bytes()[:keep])

        with pytest.raises(
            SourceError, match=r"a\.zip cannot be read as a zip archive .*expected a whole \.zip.*unpack"
        ):
            open_source(file)

    def test_one_without_videos_says_what_is_expected(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"a\.zip holds no video: expected files ending in"):
            open_source(_zip(tmp_path / "a.zip", {"readme.txt": b"x"}))

    def test_the_ending_of_the_name_does_not_matter(self, tmp_path: Path) -> None:
        assert list(open_source(_zip(tmp_path / "a.dataset", {"v.mp4": b"x"})).names) == ["v.mp4"]
        (tmp_path / "b.dataset").write_bytes(b"x")
        with pytest.raises(SourceError, match=r"is a file; a side is .* or a \.zip archive"):
            open_source(tmp_path / "b.dataset")

    def test_whatever_is_damaged_is_an_error_of_ours(self, tmp_path: Path) -> None:
        good = _zip(
            tmp_path / "good.zip", {f"v{v}/{t}.png": os.urandom(99) for v in range(2) for t in range(3)}, DEFLATED
        )
        data, rng = good.read_bytes(), random.Random(5)
        reasons = set()
        for _ in range(500):
            bad = bytearray(data)
            for _ in range(rng.choice([1, 1, 2, 5])):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            file = tmp_path / "bad.zip"
            file.write_bytes(bad[: rng.choice([len(bad), len(bad), rng.randrange(len(bad))])])
            try:
                source = open_source(file)
                for index in range(len(source.names)):
                    source.video(index).state()
                    source.video(index).content()
            except (SourceError, VideoError) as error:
                reasons.add(type(error))

        assert reasons == {SourceError, VideoError}


class TestNames:
    @pytest.mark.parametrize(
        "name", ["../v.mp4", "a/../../v.mp4", "/etc/v.mp4", "C:/v.mp4", "c:v.mp4", "a\\v.mp4", "a//v.mp4", "./v.mp4",
                 "v.mp4\0.txt"]
    )  # fmt: skip
    def test_those_that_lead_elsewhere_refuse_the_archive(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(SourceError, match=r"has a member named .*expected relative paths"):
            open_source(_zip(tmp_path / "a.zip", {"good.mp4": b"x", name: b"x"}))

    def test_two_members_of_one_name_refuse_the_archive(self, tmp_path: Path) -> None:
        with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            warnings.simplefilter("ignore")
            for data in (b"one", b"two"):
                archive.writestr("v.mp4", data)

        with pytest.raises(SourceError, match=r"'v\.mp4' for one"):
            open_source(tmp_path / "a.zip")

    def test_a_file_that_is_also_a_folder_refuses_the_archive(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"'v\.mp4' for one"):
            open_source(_zip(tmp_path / "a.zip", {"v.mp4": b"x", "v.mp4/deep/0.png": b"x"}))

    def test_members_that_overlap_refuse_the_archive(self, tmp_path: Path) -> None:
        """As in archives that grow without bound: many entries of the directory point to the same data."""
        file = _zip(tmp_path / "a.zip", {f"{v}.mp4": os.urandom(2000) for v in range(3)})
        _patch_directory(file, "1.mp4", PACKED, struct.pack("<I", 4000))

        with pytest.raises(SourceError, match="larger together than the archive, so they overlap"):
            open_source(file)


def _encrypt(file: Path) -> None:
    _patch_directory(file, "1/3.png", FLAGS, b"\1\0")


def _link(file: Path) -> None:
    _patch_directory(file, "1/3.png", ATTRIBUTES, struct.pack("<I", (stat.S_IFLNK | 0o777) << 16))


def _device(file: Path) -> None:
    _patch_directory(file, "1/3.png", ATTRIBUTES, struct.pack("<I", (stat.S_IFBLK | 0o777) << 16))


def _compress_by_lzma(file: Path) -> None:
    _patch_directory(file, "1/3.png", METHOD, struct.pack("<H", zipfile.ZIP_LZMA))


def _make_huge(file: Path) -> None:
    _patch_directory(file, "1/3.png", SIZE, struct.pack("<I", 2**28 + 1))


def _make_a_bomb(file: Path) -> None:
    _patch_directory(file, "1/3.png", SIZE, struct.pack("<I", 2**27))


def _declare_too_much(file: Path) -> None:
    _patch_directory(file, "1/3.png", SIZE, struct.pack("<I", 10000))


def _declare_too_little(file: Path) -> None:
    _patch_directory(file, "1/3.png", SIZE, struct.pack("<I", 100))


def _damage(file: Path) -> None:
    _patch_directory(file, "1/3.png", CRC, b"\1\2\3\4")


class TestMembers:
    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (_encrypt, "is encrypted: unpack"),
            (_link, "is a link or a device"),
            (_device, "is a link or a device"),
            (_compress_by_lzma, "compressed by method 14: expected deflate"),
            (_make_huge, "has 268,435,457 bytes, at most 268,435,456"),
            (_make_a_bomb, "would grow from .* to 134,217,728 bytes"),
            (_declare_too_much, "breaks off: .* of 10000 bytes"),
            (_declare_too_little, "Bad CRC-32"),
            (_damage, "Bad CRC-32"),
        ],
    )
    def test_a_bad_one_costs_its_video_alone(
        self,
        tmp_path: Path,
        zip_folder,
        two_sides,
        moving_frames,
        write_frames,
        pixels_protocol,
        spoil: Callable,
        reason: str,
    ) -> None:
        for seed in range(4):
            write_frames(tmp_path / "fake" / str(seed), moving_frames(10, seed=seed))
        file = zip_folder(tmp_path / "fake", tmp_path / "fake.zip", compression=DEFLATED)
        spoil(file)

        score = evaluate(two_sides[0], file, pixels_protocol(), settings=NO_CACHE).scores[0]

        (skipped,) = score.fake.skipped
        assert skipped.video == "1"
        assert re.search(f"cannot be read: 1/3.png in the archive.*{reason}", skipped.reason)
        assert score.fake.clips == 3
        assert score.value is not None

    def test_a_video_file_may_be_larger_than_an_image(self, tmp_path: Path) -> None:
        file = _zip(tmp_path / "a.zip", {"v.mkv": b"x" * 1000, "w.mkv": b"x"}, DEFLATED)
        _patch_directory(file, "v.mkv", SIZE, struct.pack("<I", 2**30 + 1))

        with pytest.raises(VideoError, match=r"v\.mkv in the archive has 1,073,741,825 bytes, at most 1,073,741,824"):
            open_source(file).video(0).content()

    def test_one_that_unpacks_to_more_than_it_says_fills_no_memory(self, tmp_path: Path) -> None:
        file = _zip(tmp_path / "a.zip", {"v.mkv": bytes(40 * 2**20)}, DEFLATED)
        _patch_directory(file, "v.mkv", SIZE, struct.pack("<I", 100))
        source = open_source(file)

        tracemalloc.start()
        with pytest.raises(VideoError, match="Bad CRC-32"):
            source.video(0).content()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak < 2**21  # zipfile reads 4 KiB at a time, and unpacks no more than it was asked for

    def test_black_frames_may_be_packed_tightly(self, tmp_path: Path, zip_folder, write_frames, monkeypatch) -> None:
        write_frames(tmp_path / "side" / "v", np.zeros((2, 400, 400, 3), dtype=np.uint8), suffix=".bmp")
        file = zip_folder(tmp_path / "side", tmp_path / "a.zip", compression=DEFLATED)

        assert _pixels(open_source(file).video(0)).max() == 0
        monkeypatch.setattr(archives, "RATIO_FROM_BYTES", 1)
        with pytest.raises(VideoError, match="would grow"):
            _pixels(open_source(file).video(0))

    def test_a_playlist_leads_to_no_file_beside_the_archive(
        self, tmp_path: Path, monkeypatch, moving_frames, write_video
    ) -> None:
        write_video(tmp_path / "secret.mkv", moving_frames(5), codec="rawvideo", pix_fmt="bgr24")
        (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile secret.mkv\n")
        _zip(tmp_path / "a.zip", {"list.mkv": (tmp_path / "list.mkv").read_bytes()})
        monkeypatch.chdir(tmp_path)

        with pytest.raises(VideoError):
            _ = open_source("a.zip").video(0).num_frames


class TestThreads:
    def test_videos_are_read_at_the_same_time(self, frame_sides, tmp_path: Path, zip_folder) -> None:
        folder = open_source(frame_sides[0])
        source = open_source(zip_folder(frame_sides[0], tmp_path / "a.zip", compression=DEFLATED))
        expected = [_pixels(folder.video(i)) for i in range(len(folder.names))]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: _pixels(source.video(i % len(expected))), range(30)))

        for place, pixels in enumerate(found):
            np.testing.assert_array_equal(pixels, expected[place % len(expected)])

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux shows them")
    def test_one_file_is_open_for_all_of_them_and_none_afterwards(
        self, frame_sides, tmp_path: Path, zip_folder
    ) -> None:
        def opened() -> int:
            return sum(str(file) == os.path.realpath(f) for f in Path("/proc/self/fd").iterdir())

        file = zip_folder(frame_sides[0], tmp_path / "a.zip", compression=DEFLATED)
        source = open_source(file)
        readers = [source.video(i).frames(np.arange(12)) for i in range(len(source.names))]
        for _ in range(6):
            for reader in readers:
                next(reader)
        assert opened() == 1

        del source, readers, reader
        assert opened() == 0
