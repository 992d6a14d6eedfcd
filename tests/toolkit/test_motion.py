"""Motion of videos whose motion is known, what is found in it, and the scale of broken copies."""

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.cache import FeatureStore
from fvd_bench.errors import ShortVideoError
from fvd_bench.evaluation import Settings, evaluate
from fvd_bench.extraction import Extraction
from fvd_bench.extractors import create
from fvd_bench.frechet import frechet_distance
from fvd_bench.motion import LOOPS, MOST_FRAMES, STILL, Motion, SideMotion, measure, summary
from fvd_bench.motion_panel import evenly_spaced, findings, measure_side
from fvd_bench.motion_scale import scale_protocols
from fvd_bench.protocol import load
from fvd_bench.sources import open_source
from fvd_bench.video import FrameFolder, Pixels, Video, VideoFile

VERSIONS = {"av": "1", "numpy": "1"}


def _wander(num_frames: int, *, seed: int = 0, size: int = 64, grain: float = 0.0) -> Pixels:
    """A picture of four random textures whose weights walk at random, smoothly: uint8 [T, size, size, 3]."""
    rng = np.random.default_rng([11, seed])
    textures = np.kron(rng.normal(0, 1, (4, 8, 8)), np.ones((size // 8, size // 8)))
    weights = np.cumsum(rng.normal(0, 1.5, (num_frames, 4)), axis=0)
    grey = 128 + np.tensordot(weights, textures, 1) + rng.normal(0, grain, (num_frames, size, size))
    return np.repeat(np.clip(grey, 0, 255).round()[..., None], 3, axis=3).astype(np.uint8)


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
        return VideoFile(write_video(tmp_path / "video.mkv", frames, codec="ffv1", pix_fmt="bgr0"))

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
def test_the_numbers_are_those_of_their_definition(lossless, frames: int) -> None:
    pixels = _wander(frames, seed=frames)
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
def test_a_loop_repeats_itself(lossless, period: int) -> None:
    motion = measure(lossless(_loop(_wander(period), 80 if period < 50 else 75)))

    assert motion.repetition == pytest.approx(1.0, abs=1e-6)
    assert motion.is_loop and not motion.is_still


@pytest.mark.parametrize("forwards", [9, 13, 25])
def test_a_video_that_goes_forwards_and_backwards_repeats_itself(lossless, forwards: int) -> None:
    assert measure(lossless(_ping_pong(_wander(forwards), 75))).repetition == pytest.approx(1.0, abs=1e-6)


def test_grain_that_is_new_in_each_frame_hides_no_loop(lossless) -> None:
    frames = _loop(_wander(25, size=256), 75).astype(float)
    grain = np.random.default_rng(0).normal(0, 8, frames.shape[:3])[..., None]

    motion = measure(lossless(np.clip(frames + grain, 0, 255).astype(np.uint8)))

    assert motion.repetition == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_a_random_walk_does_not_loop(lossless, seed: int) -> None:
    motion = measure(lossless(_wander(75, seed=seed)))

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


def test_coding_noise_hides_no_still_video(tmp_path: Path, write_video, write_frames) -> None:
    still = np.repeat(_wander(1, size=128), 60, axis=0)

    jpeg = measure(_open_folder(write_frames(tmp_path / "jpeg", still, suffix=".jpg", quality=30)))
    h264 = measure(VideoFile(write_video(tmp_path / "still.mp4", still)))

    assert jpeg == Motion(60, 0.0, 0.0, None)
    assert h264.is_still and h264.calm < STILL / 3


def test_a_video_that_freezes_stands_still(lossless) -> None:
    moving = _wander(75)
    moving[16:] = moving[15]

    motion = measure(lossless(moving))

    assert motion.energy > STILL
    assert motion.calm == 0 and motion.is_still and motion.repetition is None


def test_a_video_that_pauses_does_not_stand_still(lossless) -> None:
    moving = _wander(75)
    moving[20:50] = moving[20]

    assert not measure(lossless(moving)).is_still


@pytest.mark.parametrize(("frames", "asked"), [(2, False), (23, False), (24, True)])
def test_short_videos_are_not_asked_for_repetition(lossless, frames: int, asked: bool) -> None:
    motion = measure(lossless(_wander(frames)))

    assert motion.frames == frames and motion.energy > 0
    assert (motion.repetition is not None) == asked


@pytest.mark.parametrize("folder", [False, True])
def test_one_frame_is_no_motion(tmp_path: Path, write_video, write_frames, folder: bool) -> None:
    frames = _wander(1)
    video = (
        _open_folder(write_frames(tmp_path / "one", frames))
        if folder
        else VideoFile(write_video(tmp_path / "one.mkv", frames, codec="ffv1", pix_fmt="bgr0"))
    )

    with pytest.raises(ShortVideoError, match="1 frames decode, the clip needs 2"):
        measure(video)


@pytest.mark.parametrize("frames", [40, MOST_FRAMES, MOST_FRAMES + 9])
def test_a_file_and_its_frames_move_alike(
    tmp_path: Path, write_video, write_frames, moving_frames, frames: int
) -> None:
    pixels = moving_frames(frames)

    file = measure(VideoFile(write_video(tmp_path / "video.mkv", pixels, codec="ffv1", pix_fmt="bgr0")))
    folder = measure(_open_folder(write_frames(tmp_path / "video", pixels)))

    assert file == folder
    assert file.frames == min(frames, 256)


def test_only_the_first_frames_count_and_none_is_kept(lossless) -> None:
    frames = _wander(MOST_FRAMES + 64, size=128)
    video = lossless(frames)
    frames[MOST_FRAMES:] = 0

    tracemalloc.start()
    motion = measure(video)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert motion == measure(lossless(frames))
    assert peak < frames[:MOST_FRAMES].nbytes / 2


def test_a_side_is_the_mean_median_and_spread_of_its_videos() -> None:
    motions = [
        Motion(75, 1.0, 1.0, 0.9),
        Motion(75, 2.0, 2.0, 0.1),
        Motion(75, 6.0, 0.0, None),
        Motion(9, 3.0, 1.0, None),
    ]

    assert summary(motions) == SideMotion(
        videos=4, mean=3.0, median=2.5, spread=math.sqrt(3.5), still=0.25, asked=2, looping=0.5
    )
    assert summary([]) is None
    assert summary(motions[2:3]) == SideMotion(1, 6.0, 6.0, 0.0, 1.0, asked=0, looping=None)


def _measure_side(folder: Path, store: FeatureStore, *, workers: int = 2, versions=VERSIONS) -> tuple[object, int]:
    """The motion of a side, and how many videos had to be measured for it."""
    steps: list[int] = []
    side = measure_side(
        open_source(folder), store, versions=versions, workers=workers, progress=lambda done, total: steps.append(done)
    )
    return side, len(steps)


def _read_contents(folder: Path, store: FeatureStore) -> None:
    Extraction(open_source(folder), store, {}, versions={}, workers=1, progress=lambda done, total: None)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_side_is_that_of_its_readable_videos_for_any_number_of_workers(
    tmp_path: Path, write_video, write_frames, workers: int
) -> None:
    for seed in range(5):
        write_video(tmp_path / "side" / f"{seed}.mkv", _wander(30 + seed, seed=seed), codec="ffv1", pix_fmt="bgr0")
    (tmp_path / "side" / "broken.mp4").write_bytes(b"no video")
    write_frames(tmp_path / "side" / "one", _wander(1))

    side, _ = _measure_side(tmp_path / "side", FeatureStore(tmp_path), workers=workers)

    assert side == summary([measure(VideoFile(tmp_path / "side" / f"{seed}.mkv")) for seed in range(5)])


def test_a_side_without_a_readable_video_has_no_motion(tmp_path: Path) -> None:
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / "broken.mp4").write_bytes(b"no video")

    assert _measure_side(tmp_path / "side", FeatureStore(tmp_path)) == (None, 1)


def test_what_was_measured_is_not_measured_again(tmp_path: Path, write_video) -> None:
    folder, store = tmp_path / "side", FeatureStore(tmp_path / "store")
    for seed, frames in enumerate((9, 40, 50)):  # repetition is None, and is not
        write_video(folder / f"{seed}.mkv", _wander(frames, seed=seed), codec="ffv1", pix_fmt="bgr0")
    _read_contents(folder, store)

    first, measured = _measure_side(folder, store)
    again, measured_again = _measure_side(folder, store)
    _, measured_by_others = _measure_side(folder, store, versions={**VERSIONS, "av": "2"})
    write_video(folder / "1.mkv", _wander(41, seed=7), codec="ffv1", pix_fmt="bgr0")
    _read_contents(folder, store)
    changed, measured_anew = _measure_side(folder, store)

    assert again == first != changed
    assert (measured, measured_again, measured_by_others, measured_anew) == (3, 0, 3, 1)


def test_files_of_unknown_contents_are_measured_and_not_stored(tmp_path: Path, two_sides) -> None:
    store = FeatureStore(tmp_path)

    assert _measure_side(two_sides[0], store) == _measure_side(two_sides[0], store)
    assert _measure_side(two_sides[0], store)[1] == 6


def test_a_part_of_many_videos_is_spread_evenly() -> None:
    assert list(evenly_spaced(5, 256)) == [0, 1, 2, 3, 4]
    assert list(evenly_spaced(10, 4)) == [0, 2, 5, 7]
    many = list(evenly_spaced(1000, 256))
    assert len(set(many)) == 256 and set(np.diff(many)) == {3, 4}


REAL = SideMotion(videos=100, mean=1.0, median=1.0, spread=0.3, still=0.0, asked=100, looping=0.0)


def _codes(real: SideMotion, fake: SideMotion) -> list[str]:
    return [warned.code for warned in findings(real, fake)]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"mean": 0.4, "median": 0.34, "spread": 0.1}, []),
        ({"mean": 0.4, "median": 0.33, "spread": 0.1}, ["fake-still"]),
        ({"mean": 0.0, "median": 0.0, "spread": 0.0, "still": 1.0, "asked": 0, "looping": None}, ["fake-still"]),
        ({"still": 0.19}, []),
        ({"still": 0.2}, ["fake-still"]),
        ({"looping": 0.19}, []),
        ({"looping": 0.2}, ["fake-loops"]),
        ({"looping": 1.0, "asked": 3}, ["fake-loops"]),
        ({"looping": 0.25, "asked": 4, "videos": 4}, ["fake-loops"]),
        ({"looping": None, "asked": 0}, []),
        ({"looping": 0.5, "still": 0.5}, ["fake-still", "fake-loops"]),
        ({"spread": 0.076}, []),
        ({"spread": 0.074}, ["fake-alike"]),
        ({"spread": 0.0, "videos": 15}, []),
        ({"spread": 0.0, "looping": 0.5}, ["fake-loops"]),
        ({"mean": 2.0, "median": 2.0, "spread": 0.16}, []),
        ({"mean": 2.0, "median": 2.0, "spread": 0.14}, ["fake-alike"]),
    ],
)
def test_what_is_wrong_with_the_fakes_motion(changes: dict[str, float], codes: list[str]) -> None:
    assert _codes(REAL, replace(REAL, **changes)) == codes


def test_what_the_real_videos_do_as_well_is_no_finding() -> None:
    odd = replace(REAL, still=0.6, looping=0.6, asked=40)

    assert _codes(odd, replace(odd, still=0.7, looping=0.7)) == []


def test_a_difference_of_a_few_videos_is_no_finding() -> None:
    few = replace(REAL, videos=5, asked=5)

    assert _codes(few, replace(few, looping=0.2, still=0.2)) == []
    assert _codes(few, replace(few, looping=1.0)) == ["fake-loops"]
    wide = replace(few, mean=2.0, spread=3.0)
    assert _codes(wide, replace(wide, mean=0.4, median=0.3, spread=0.4)) == []


def test_a_finding_names_the_numbers() -> None:
    (warned,) = findings(REAL, replace(REAL, looping=0.5, asked=80))

    assert warned.message.startswith(
        "50% of the fake videos repeat themselves (80 could be asked), against 0% of the real ones (100)"
    )


def test_looping_videos_are_found_among_files(tmp_path: Path, write_video) -> None:
    for seed in range(6):
        for side, frames in (("real", _wander(75, seed=seed)), ("fake", _loop(_wander(25, seed=50 + seed), 75))):
            write_video(tmp_path / side / f"{seed}.mp4", frames)
    store = FeatureStore(tmp_path)
    real, fake = (_measure_side(tmp_path / side, store)[0] for side in ("real", "fake"))

    assert [_codes(real, fake), _codes(fake, real), _codes(real, real)] == [["fake-loops"], [], []]


def _broken_features(folder: Path, name: str, protocol: str, *, seed: int) -> np.ndarray:
    """Features of the documented clips of the real side, broken in the documented way, written a second time."""
    extractor = create(load(protocol).features, device="cpu", weights={}, progress=lambda done, total: None)
    features = []
    for index, file in enumerate(sorted(folder.iterdir())):
        video = VideoFile(file)
        frames = np.stack([f.pixels for f in video.frames(np.arange(video.num_frames))])
        start = int(np.random.default_rng([seed, index]).integers(0, len(frames) - 9 + 1))
        clip = frames[start : start + 9]
        if name == "shuffled":
            clip = np.random.default_rng([seed, index, 4]).permutation(clip)
        elif name == "frozen":
            clip = np.repeat(frames[[np.random.default_rng([seed, index, 2]).integers(0, len(frames))]], 9, axis=0)
        elif name == "reversed":
            clip = clip[::-1].copy()
        features.append(extractor([clip])[0])
    return np.concatenate(features)


@pytest.mark.parametrize("name", ["shuffled", "frozen", "reversed"])
def test_the_scale_is_the_score_of_broken_real_clips(two_sides, pixels_protocol, name: str) -> None:
    protocol = pixels_protocol(images='jpeg = { fake = "always" }', count="fake = 3")

    result = evaluate(*two_sides, scale_protocols(load(protocol))[name], seed=7, settings=Settings(cache=None))

    real, broken = (_broken_features(two_sides[0], how, protocol, seed=7) for how in ("", name))
    assert result.value == pytest.approx(frechet_distance(real, broken, ddof=0), rel=1e-9, abs=1e-9)
    assert (result.scores[0].real.clips, result.scores[0].fake.clips) == (6, 6)
    assert result.value == pytest.approx(0, abs=1e-9) if name == "reversed" else result.value > 0


def test_the_scale_keeps_all_but_the_fake_clips() -> None:
    protocol = load("stylegan-v-fvd16")

    scale = scale_protocols(protocol)

    assert [p.name for p in scale.values()] == [
        f"stylegan-v-fvd16-scale-{n}" for n in ("shuffled", "frozen", "reversed")
    ]
    assert len({p.digest() for p in [protocol, *scale.values()]}) == 4
    for broken in scale.values():
        assert (broken.real, broken.features, broken.metric) == (protocol.real, protocol.features, protocol.metric)
        assert replace(broken.fake, content="video") == protocol.real


def test_single_frames_and_spread_frames_have_no_scale(pixels_protocol) -> None:
    assert scale_protocols(load("stylegan-v-fid")) == {}
    assert scale_protocols(load(pixels_protocol(clip='length_rule = "span"', frames=9))) != {}
    spread = load(pixels_protocol())
    assert scale_protocols(replace(spread, real=replace(spread.real, start="spread"))) == {}
    assert scale_protocols(replace(spread, real=replace(spread.real, frames="all", start="first"))) == {}
    assert scale_protocols(replace(spread, features=replace(spread.features, extractor="inception"))) == {}
