"""One real small video after another, healthy and not."""

from pathlib import Path

import numpy as np
import pytest

from fvd_bench.inspection.video import examine, is_black, missing_numbers
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder


def test_equal_frames_in_other_containers_are_known(tmp_path: Path, moving_frames, write_video, write_frames) -> None:
    frames = moving_frames(6)
    file = write_video(tmp_path / "a.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    folder = write_frames(tmp_path / "b", frames)

    of_file = examine("a", VideoFile(file))
    of_folder = examine("b", FrameFolder(folder, [f"{t}.png" for t in range(6)]))
    other = examine("c", VideoFile(write_video(tmp_path / "c.mkv", frames[:5], codec="ffv1", pix_fmt="bgr0")))

    assert of_file.pictures == of_folder.pictures
    assert of_file.content != of_folder.content
    assert other.pictures != of_file.pictures
    assert (of_file.frames, of_folder.frames) == (6, 6)


def test_a_file_is_decoded_once(tmp_path: Path, moving_frames, write_video) -> None:
    video = VideoFile(write_video(tmp_path / "a.mp4", moving_frames(40)))

    assert examine("a", video).frames == video.decoded == 40


@pytest.mark.parametrize("gop", [1, 12])
def test_a_still_is_frozen_and_a_moving_video_is_not(tmp_path: Path, moving_frames, write_video, gop: int) -> None:
    moving = moving_frames(30)
    still = np.repeat(moving[:1], 30, axis=0)

    found = [
        examine(str(n), VideoFile(write_video(tmp_path / f"{n}.mp4", frames, gop=gop)))
        for n, frames in enumerate((still, moving))
    ]

    assert [video.frozen for video in found] == [True, False]


@pytest.mark.parametrize(("step", "frozen"), [(1, True), (2, False)])
def test_a_video_is_frozen_within_a_grey_level_of_its_first_frame(
    tmp_path: Path, write_frames, step: int, frozen: bool
) -> None:
    """A step of green is 0.587 of one of grey."""
    frames = np.full((3, 32, 32, 3), 100, dtype=np.uint8)
    frames[1, ..., 1] += step

    folder = write_frames(tmp_path / "a", frames)

    assert examine("a", FrameFolder(folder, [f"{t}.png" for t in range(3)])).frozen is frozen


def test_one_frame_is_not_frozen(tmp_path: Path, moving_frames, write_video) -> None:
    assert not examine("a", VideoFile(write_video(tmp_path / "a.mp4", moving_frames(1)))).frozen


@pytest.mark.parametrize(("part", "level", "black"), [(0.98, 25, True), (0.96, 25, False), (0.98, 27, False)])
def test_a_frame_is_black_by_the_defaults_of_blackdetect(part: float, level: int, black: bool) -> None:
    pixels = np.full((100, 100, 3), level, dtype=np.uint8)
    pixels[: round(100 * (1 - part))] = 255

    assert is_black(pixels) is black


def test_a_fade_from_black_is_not_black(tmp_path: Path, moving_frames, write_frames) -> None:
    frames = moving_frames(4)
    frames[:3] = 0
    folder = write_frames(tmp_path / "a", frames)

    found = examine("a", FrameFolder(folder, [f"{t}.png" for t in range(4)]))

    assert not found.black and not found.frozen


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["1.png", "2.png", "3.png"], ()),
        (["000001.jpg", "000003.jpg", "000004.jpg"], ("000002.jpg",)),
        (["a_8.png", "a_9.png", "a_11.png"], ("a_10.png",)),
        (["0000.png", "0010.png", "0020.png"], ()),
        (["0000.png", "0010.png", "0040.png"], ("0020.png", "0030.png")),
        (["v2_1.png", "v2_2.png", "v2_4.png"], ("v2_3.png",)),
        (["a.png", "b.png", "c.png"], ()),
        (["a1.png", "b2.png", "c4.png"], ()),
        (["1.jpg", "1.png", "2.png"], ()),
        (["1.png", "01.png", "3.png"], ()),
        (["1.png", "3.png"], ()),
        (["0033.png", "0067.png", "0100.png", "0133.png"], ()),
        (["0.png", "2.png", "5.png"], ()),
    ],
)
def test_gaps_between_numbers_are_named(names: list[str], missing: tuple[str, ...]) -> None:
    assert missing_numbers(names) == missing


def test_a_gap_as_wide_as_its_numbers_costs_nothing() -> None:
    assert len(missing_numbers(["1.png", "2.png", f"{10**17}.png"])) == 1000
    assert missing_numbers(["1.png", "2.png", f"{'9' * 5000}.png"]) == ()


def test_an_image_that_breaks_off_is_told_with_its_place(tmp_path: Path, moving_frames, write_frames) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(5), suffix=".jpg")
    broken = folder / "3.jpg"
    broken.write_bytes(broken.read_bytes()[:-300])

    found = examine("a", FrameFolder(folder, [f"{t}.jpg" for t in range(5)]))

    assert found.frames == 3
    assert "3.jpg" in (found.broken_off or "")
    assert found.unreadable is None
