"""Motion of videos whose motion is known, what is found in it, and the scale of broken copies."""

import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import ShortVideoError
from fvd_bench.inspection import motion as motion_module
from fvd_bench.inspection.motion import LOOPS, MOST_FRAMES, STILL, Motion, measure
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Pixels, Video

VERSIONS = {"av": "1", "numpy": "1"}


def _loop(frames: Pixels, num_frames: int) -> Pixels:
    return frames[np.arange(num_frames) % len(frames)]


def _ping_pong(frames: Pixels, num_frames: int) -> Pixels:
    """Forwards, backwards, forwards: a period of 2n - 2 frames."""
    return _loop(np.concatenate([frames, frames[-2:0:-1]]), num_frames)


def _open_folder(folder: Path) -> FrameFolder:
    return FrameFolder(folder, [file.name for file in folder.iterdir()])


@pytest.fixture
def lossless(tmp_path: Path, write_video) -> Callable[[Pixels], Video]:
    def write(frames: Pixels) -> Video:
        return VideoFile(write_video(tmp_path / "video.mkv", frames, codec="rawvideo", pix_fmt="bgr24"))

    return write


def test_a_still_video_has_no_motion_and_is_not_asked_for_repetition(lossless, moving_frames) -> None:
    motion = measure(lossless(np.repeat(moving_frames(1), 40, axis=0)))

    assert motion == Motion(frames=40, energy=0.0, calm=0.0, repetition=None)
    assert motion.is_still and not motion.is_loop


def test_a_fade_moves_by_its_speed_and_never_comes_back(lossless) -> None:
    frames = np.repeat(np.arange(0, 160, 2, dtype=np.uint8), 48 * 64 * 3).reshape(80, 48, 64, 3)

    motion = measure(lossless(frames))

    assert motion == Motion(frames=80, energy=2.0, calm=2.0, repetition=0.0)
    assert not motion.is_still and not motion.is_loop


def test_colours_count_by_their_luma(lossless) -> None:
    frames = np.zeros((30, 32, 32, 3), np.uint8)
    frames[1::2, ..., 0] = 100

    assert measure(lossless(frames)).energy == pytest.approx(29.9, abs=1e-5)  # ITU-R 601: 0.299 of red


@pytest.mark.parametrize("frames", [24, 50, 75])
def test_the_numbers_are_those_of_their_definition(lossless, frames: int, wandering_frames) -> None:
    pixels = wandering_frames(frames, seed=frames)
    grey = pixels[..., 0].astype(float).reshape(frames, 32, 2, 32, 2).mean(axis=(2, 4))

    motion = measure(lossless(pixels))

    def distance(lag: int) -> float:
        return float(np.mean([np.abs(grey[t + lag] - grey[t]).mean() for t in range(frames - lag)]))

    steps = [np.abs(grey[t + 1] - grey[t]).mean() for t in range(frames - 1)]
    width = math.ceil(2 * (frames - 1) / 3)
    lags = range(8, int(frames * 2 / 3) + 1)
    far = np.quantile([distance(lag) for lag in lags], 0.75)
    left = next(lag for lag in range(1, frames) if distance(lag) >= far)
    back = min(distance(lag) for lag in lags if lag >= left)
    near = distance(1)
    assert near <= far / 1.5
    assert motion.energy == pytest.approx(np.mean(steps), rel=1e-6)
    assert motion.calm == pytest.approx(min(np.mean(steps[i : i + width]) for i in range(frames - width)), rel=1e-6)
    assert motion.repetition == pytest.approx(max(0, 1 - (back - near) / (far - near)), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("period", [2, 3, 10, 20, 37, 50])
def test_a_loop_repeats_itself(lossless, period: int, wandering_frames) -> None:
    motion = measure(lossless(_loop(wandering_frames(period), 80 if period < 50 else 75)))

    assert motion.repetition == pytest.approx(1.0, abs=1e-6)
    assert motion.is_loop and not motion.is_still


@pytest.mark.parametrize("forwards", [9, 13, 25])
def test_a_video_that_goes_forwards_and_backwards_repeats_itself(lossless, forwards: int, wandering_frames) -> None:
    assert measure(lossless(_ping_pong(wandering_frames(forwards), 75))).repetition == pytest.approx(1.0, abs=1e-6)


def test_what_comes_back_in_fewer_than_eight_frames_is_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = {1: 4.0, 3: 5.0}
    monkeypatch.setattr(motion_module, "_distances", lambda _, lag: np.array([apart.get(lag, 10.0)]))

    assert motion_module._repetition(np.zeros((24, 2, 2), np.float32)) == 0


def test_grain_that_is_new_in_each_frame_hides_no_loop(lossless, wandering_frames) -> None:
    frames = _loop(wandering_frames(25, size=128), 75).astype(float)
    grain = np.random.default_rng(0).normal(0, 8, frames.shape[:3])[..., None]

    motion = measure(lossless(np.clip(frames + grain, 0, 255).astype(np.uint8)))

    assert motion.repetition == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_a_random_walk_does_not_loop(lossless, seed: int, wandering_frames) -> None:
    motion = measure(lossless(wandering_frames(75, seed=seed)))

    assert motion.repetition is not None and motion.repetition < 0.5 < LOOPS


def test_a_picture_that_moves_through_the_frame_does_not_loop(lossless) -> None:
    wide = np.kron(np.random.default_rng(3).integers(0, 256, (8, 40)), np.ones((8, 8))).astype(np.uint8)
    frames = np.stack([wide[:, 2 * t : 2 * t + 64] for t in range(80)])[..., None].repeat(3, axis=3)

    motion = measure(lossless(frames))

    assert motion.energy > 5
    assert motion.repetition is not None and motion.repetition < 0.3


def test_noise_without_motion_does_not_loop(lossless) -> None:
    frames = np.random.default_rng(5).integers(0, 256, (60, 64, 64, 3)).astype(np.uint8)

    motion = measure(lossless(frames))

    assert motion.repetition is not None and motion.repetition < 0.1


def test_coding_noise_hides_no_still_video(tmp_path: Path, write_video, write_frames, wandering_frames) -> None:
    still = np.repeat(wandering_frames(1, size=128), 60, axis=0)

    jpeg = measure(_open_folder(write_frames(tmp_path / "jpeg", still, suffix=".jpg", quality=30)))
    h264 = measure(VideoFile(write_video(tmp_path / "still.mp4", still)))

    assert jpeg == Motion(60, 0.0, 0.0, None)
    assert h264.is_still and h264.calm < STILL / 3


def test_a_video_that_freezes_stands_still(lossless, wandering_frames) -> None:
    moving = wandering_frames(75)
    moving[16:] = moving[15]

    motion = measure(lossless(moving))

    assert motion.energy > STILL
    assert motion.calm == 0 and motion.is_still and motion.repetition is None


def test_a_video_that_pauses_does_not_stand_still(lossless, wandering_frames) -> None:
    moving = wandering_frames(75)
    moving[20:50] = moving[20]

    assert not measure(lossless(moving)).is_still


@pytest.mark.parametrize(("frames", "asked"), [(2, False), (23, False), (24, True)])
def test_short_videos_are_not_asked_for_repetition(lossless, frames: int, asked: bool, wandering_frames) -> None:
    motion = measure(lossless(wandering_frames(frames)))

    assert motion.frames == frames and motion.energy > 0
    assert (motion.repetition is not None) == asked


@pytest.mark.parametrize("folder", [False, True])
def test_one_frame_is_no_motion(tmp_path: Path, write_video, write_frames, folder: bool, wandering_frames) -> None:
    frames = wandering_frames(1)
    video = (
        _open_folder(write_frames(tmp_path / "one", frames))
        if folder
        else VideoFile(write_video(tmp_path / "one.mkv", frames, codec="rawvideo", pix_fmt="bgr24"))
    )

    with pytest.raises(ShortVideoError, match="1 frame decodes, the clip needs 2"):
        measure(video)


@pytest.mark.parametrize("frames", [40, MOST_FRAMES, MOST_FRAMES + 9])
def test_a_file_and_its_frames_move_alike(
    tmp_path: Path, write_video, write_frames, moving_frames, frames: int
) -> None:
    pixels = moving_frames(frames)

    file = measure(VideoFile(write_video(tmp_path / "video.mkv", pixels, codec="rawvideo", pix_fmt="bgr24")))
    folder = measure(_open_folder(write_frames(tmp_path / "video", pixels)))

    assert file == folder
    assert file.frames == min(frames, 256)


def test_only_the_first_frames_count_and_none_is_kept(lossless, wandering_frames) -> None:
    frames = wandering_frames(MOST_FRAMES + 64, size=128)
    video = lossless(frames)
    frames[MOST_FRAMES:] = 0

    tracemalloc.start()
    motion = measure(video)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert motion == measure(lossless(frames))
    assert peak < frames[:MOST_FRAMES].nbytes / 2
