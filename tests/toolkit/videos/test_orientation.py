"""Turned and mirrored pixels: display matrices of videos, EXIF of images."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fvd_bench import Settings, evaluate
from fvd_bench.errors import VideoError
from fvd_bench.inspection.checkup import inspect
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.orientation import UPRIGHT, Orientation
from fvd_bench.videos.probe import probe
from fvd_bench.videos.video import Pixels

ONE = 1 << 16
MATRICES = {
    "upright": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "turned by 180": (-1, 0, 0, -1),
    "upside down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "turned right": (0, 1, -1, 0),
    "transversed": (0, -1, -1, 0),
    "turned left": (0, -1, 1, 0),
}
"""a, b, c, d of a display matrix: a pixel at (x, y) is shown at (a x + c y, b x + d y)."""

MIRRORED = ("mirrored", "upside down", "transposed", "transversed")


@pytest.fixture(scope="module")
def frames() -> Pixels:
    return np.random.default_rng(5).integers(0, 256, (10, 32, 48, 3), dtype=np.uint8)


def _shown(frames: Pixels, matrix: tuple[int, ...]) -> Pixels:
    """Every pixel put where the matrix says, one by one."""
    a, b, c, d = matrix
    y, x = np.mgrid[: frames.shape[1], : frames.shape[2]]
    columns, rows = a * x + c * y, b * x + d * y
    columns, rows = columns - columns.min(), rows - rows.min()
    shown = np.zeros((len(frames), rows.max() + 1, columns.max() + 1, 3), np.uint8)
    shown[:, rows, columns] = frames[:, y, x]
    return shown


@pytest.fixture
def write_matrix(write_video, frames: Pixels):
    def write(file: Path, *matrix: float) -> Path:
        """A lossless video with the numbers a, b, c, d in its track header."""
        data = bytearray(write_video(file, frames, codec="png", pix_fmt="rgb24").read_bytes())
        place = data.index(b"tkhd") + 44
        a, b, c, d = (round(ONE * number) for number in matrix)
        data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 7 * ONE, 0, 1 << 30)
        file.write_bytes(data)
        return file

    return write


def _pixels(video: VideoFile | FrameFolder) -> Pixels:
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


@pytest.mark.parametrize("name", MATRICES)
def test_a_display_matrix_is_applied_wholly(tmp_path: Path, write_matrix, frames: Pixels, name: str) -> None:
    expected = _shown(frames, MATRICES[name])
    video = VideoFile(write_matrix(tmp_path / "a.mov", *MATRICES[name]))

    np.testing.assert_array_equal(_pixels(video), expected)

    found = probe(video)
    assert (found.size, found.is_mirrored) == ((expected.shape[2], expected.shape[1]), name in MIRRORED)
    assert video.decoded == len(frames)  # the first once more for its matrix, which does not count


@pytest.mark.parametrize(
    "matrix",
    [
        (0.7071, 0.7071, -0.7071, 0.7071),
        (1, 0.3, 0, 1),
        (1, 0, 0.3, 1),
        (1, 0, 0, 0),
        (0.9962, 0.0872, -0.0872, 0.9962),
    ],
)
def test_other_turns_and_shear_are_named(tmp_path: Path, write_matrix, matrix: tuple[float, ...]) -> None:
    video = VideoFile(write_matrix(tmp_path / "a.mov", *matrix))

    with pytest.raises(VideoError, match=r"turned or sheared by its display matrix \([-0-9., ]+\): quarter turns and"):
        _pixels(video)
    with pytest.raises(VideoError, match="display matrix"):
        probe(video)


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (2, 0, 0, 1), (1, 0.005, -0.005, 1)])
def test_lengths_rounding_and_empty_matrices_turn_nothing(matrix: tuple[float, ...]) -> None:
    a, b, c, d = (round(ONE * number) for number in matrix)

    assert Orientation.of_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30]) == UPRIGHT


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_is_applied_in_every_format(tmp_path: Path, frames: Pixels, suffix: str, number: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    for t, frame in enumerate(frames[:2]):
        Image.fromarray(frame).save(tmp_path / f"{t}{suffix}", exif=exif, lossless=True)
    folder = FrameFolder(tmp_path, [f"{t}{suffix}" for t in range(2)])
    with Image.open(tmp_path / f"0{suffix}") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))

    found = _pixels(folder)

    np.testing.assert_array_equal(found[0], expected)
    header = probe(folder)
    assert (header.size, header.is_mirrored) == ((found.shape[2], found.shape[1]), number in (2, 4, 5, 7))
    if suffix != ".jpg":
        turn = MATRICES[list(MATRICES)[number - 1]]
        np.testing.assert_array_equal(found, _shown(frames[:2], turn))


def test_frames_that_agree_only_when_turned_are_of_one_size(tmp_path: Path, frames: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(frames[0]).save(tmp_path / "0.png", exif=exif)
    Image.fromarray(np.rot90(frames[1], -1)).save(tmp_path / "1.png")

    np.testing.assert_array_equal(_pixels(FrameFolder(tmp_path, ["0.png", "1.png"])), np.rot90(frames[:2], -1, (1, 2)))


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0no such thing", b"Exif\0\0"])
def test_damaged_exif_turns_nothing(tmp_path: Path, frames: Pixels, exif: bytes) -> None:
    Image.fromarray(frames[0]).save(tmp_path / "0.png", exif=exif)

    np.testing.assert_array_equal(_pixels(FrameFolder(tmp_path, ["0.png"]))[0], frames[0])


def test_mirrored_videos_score_as_they_are_seen_and_are_named(
    tmp_path: Path, write_matrix, write_video, write_frames, frames: Pixels, pixels_protocol
) -> None:
    for n in range(2):
        write_video(tmp_path / "real" / f"{n}.mkv", np.roll(frames, n), codec="ffv1", pix_fmt="bgr0")
        write_matrix(tmp_path / "fake" / f"{n}.mov", -1, 0, 0, 1)
        write_frames(tmp_path / "seen" / f"{n}", frames[:, :, ::-1])
    sides = [tmp_path / "fake", tmp_path / "seen"]

    fake, seen = (evaluate(tmp_path / "real", s, pixels_protocol(), settings=Settings(cache=None)) for s in sides)

    assert fake.value == pytest.approx(seen.value, rel=0, abs=1e-9)
    (message,) = (w.message for w in fake.warnings if w.code == "mirrored")
    assert message.startswith(
        "of the fake videos 2 are mirrored for display, by a display matrix or EXIF, which is heeded"
    )
    assert "mirrored" not in {w.code for w in seen.warnings}
    (fault,) = (f for f in inspect(tmp_path / "fake").findings if f.code == "mirrored")
    assert list(fault.videos) == ["0.mov", "1.mov"]
