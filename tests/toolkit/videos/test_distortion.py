"""Distortions: what each changes, what it leaves, and that elastic ones spoil frames equally."""

from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import ShortVideoError
from fvd_bench.evaluation.studies.audit import frame_quality
from fvd_bench.sources import open_source
from fvd_bench.sources.distorted import DistortedSource
from fvd_bench.videos.distortion import DISTORTIONS, displacements
from fvd_bench.videos.video import Pixels

FRAMES = 24
OF_FRAMES = [d for d in DISTORTIONS.values() if d.pixels]


@pytest.fixture(scope="module")
def videos(moving_frames) -> list[Pixels]:
    return [moving_frames(FRAMES, 32, 40, seed=k) for k in range(8)]


def read(source: DistortedSource, video: int, indices=None) -> Pixels:
    made = source.video(video)
    wanted = np.arange(made.num_frames) if indices is None else np.array(indices)
    return np.stack([frame.pixels for frame in made.frames(wanted)])


def distorted(videos: list[Pixels], name: str, strength: int, seed: int = 0) -> DistortedSource:
    return DistortedSource(open_source(videos), DISTORTIONS[name], strength, seed)


def shown(videos: list[Pixels], name: str, strength: int, video: int = 0) -> list[int]:
    """The numbers of the original frames that are shown; each frame of the fixture is told from all others."""
    originals = {frame.tobytes(): number for number, frame in enumerate(videos[video])}
    assert len(originals) == FRAMES
    return [originals[frame.tobytes()] for frame in read(distorted(videos, name, strength), video)]


@pytest.mark.parametrize("name", DISTORTIONS)
def test_of_strength_0_it_is_the_video_itself(videos, name: str) -> None:
    same = distorted(videos, name, 0).video(0)

    assert same.content() == open_source(videos).video(0).content()
    np.testing.assert_array_equal(read(distorted(videos, name, 0), 0), videos[0])


@pytest.mark.parametrize("distortion", OF_FRAMES, ids=lambda d: d.name)
def test_frames_are_worse_the_stronger_it_is(distortion) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (2, 4, 24, 24, 3), dtype=np.uint8)
    source = open_source(list(blocks.repeat(4, axis=2).repeat(4, axis=3)))
    quality = [frame_quality(source, DistortedSource(source, distortion, strength)) for strength in (1, 2, 3)]

    assert quality == sorted(quality, reverse=True) and quality[2] < quality[0] - 3


def test_both_elastic_ladders_spoil_frames_equally(videos) -> None:
    source = open_source(videos)
    for strength in (1, 2, 3):
        alike, apart = (
            frame_quality(source, distorted(videos, f"elastic-per-{of}", strength)) for of in ("video", "frame")
        )
        assert alike == pytest.approx(apart, abs=0.7)


def test_elastic_of_a_video_bends_all_frames_alike_and_of_frames_does_not(videos) -> None:
    still = [np.repeat(videos[0][:1], FRAMES, axis=0)]
    alike = read(distorted(still, "elastic-per-video", 3), 0)
    apart = read(distorted(still, "elastic-per-frame", 3), 0)

    assert (alike == alike[0]).all() and not (alike[0] == still[0][0]).all()
    np.testing.assert_array_equal(apart[0], alike[0])
    assert len({frame.tobytes() for frame in apart}) == FRAMES


def test_displacements_are_as_long_as_said() -> None:
    field = displacements(48, 80, 0.02, (1, 2))

    assert field.shape == (2, 48, 80)
    assert np.sqrt((field**2).sum(axis=0).mean()) == pytest.approx(0.02 * 48, rel=1e-12)
    assert np.abs(np.diff(field, axis=2)).max() < 0.02 * 48  # smooth


def test_noise_is_as_strong_as_said() -> None:
    grey = [np.full((4, 64, 64, 3), 128, np.uint8)]
    noise = read(distorted(grey, "noise", 2), 0).astype(float) - 128

    assert noise.std() == pytest.approx(15, rel=0.02) and noise.mean() == pytest.approx(0, abs=0.3)
    assert np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] == pytest.approx(0, abs=0.05)


def test_what_is_shown_of_the_original(videos) -> None:
    every = list(range(FRAMES))

    assert shown(videos, "freeze", 1) == [n // 2 * 2 for n in every]
    assert shown(videos, "freeze", 3) == [0] * FRAMES
    assert shown(videos, "reverse", 3) == every[::-1]
    assert shown(videos, "speed", 1) == [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21, 22]
    assert shown(videos, "speed", 3) == every[::4]
    np.testing.assert_array_equal(read(distorted([videos[0][:22]], "speed", 3), 0), videos[0][:22:4])
    order = shown(videos, "shuffle", 2)
    assert order != every and [sorted(order[k : k + 4]) for k in range(0, FRAMES, 4)] == [
        every[k : k + 4] for k in range(0, FRAMES, 4)
    ]


def test_frames_in_another_place_have_no_time(videos, tmp_path: Path, write_video) -> None:
    write_video(tmp_path / "0.mkv", videos[0][:9])
    original, again = (
        DistortedSource(open_source(tmp_path), DISTORTIONS["reverse"], strength).video(0) for strength in (0, 3)
    )

    assert all(frame.time is not None for frame in original.frames(np.arange(9)))
    assert all(frame.time is None for frame in again.frames(np.arange(9)))


def test_lost_frames_are_those_of_weaker_losses_too(videos) -> None:
    lost = [{n for n, frame in enumerate(shown(videos, "missing", s)) if frame != n} for s in (1, 2, 3)]

    assert lost[0] <= lost[1] < lost[2] and 0 not in lost[2]
    for n, frame in enumerate(shown(videos, "missing", 3)):
        assert frame == max(set(range(n + 1)) - lost[2])


def test_a_part_of_the_videos_is_reversed_and_shares_its_features(videos) -> None:
    contents = [[distorted(videos, "reverse", s).video(k).content() for k in range(8)] for s in (0, 1, 2, 3)]
    changed = [[a != b for a, b in zip(contents[0], found, strict=True)] for found in contents[1:]]

    assert [sum(row) for row in changed] == [2, 4, 8]
    assert all(contents[3][k] == contents[s][k] for s in (1, 2) for k in range(8) if changed[s - 1][k])


@pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=lambda d: d.name)
def test_frames_do_not_depend_on_which_others_are_read_nor_on_the_place(videos, distortion) -> None:
    source = DistortedSource(open_source(videos), distortion, 2, seed=3)
    last = DistortedSource(open_source(videos[::-1]), distortion, 2, seed=3)

    np.testing.assert_array_equal(read(source, 3, [4, 7, 11]), read(source, 3)[[4, 7, 11]])
    if not distortion.of_videos:
        np.testing.assert_array_equal(read(source, 1), read(last, 6))
        assert source.video(1).content() == last.video(6).content() != source.video(2).content()


@pytest.mark.parametrize("distortion", list(DISTORTIONS.values()), ids=lambda d: d.name)
def test_the_end_of_the_video_is_told(videos, distortion) -> None:
    made = DistortedSource(open_source(videos), distortion, 3).video(0)

    with pytest.raises(ShortVideoError):
        list(made.frames(np.array([0, made.num_frames])))


def test_seeds_differ(videos) -> None:
    for name in ("elastic-per-video", "noise", "shuffle"):
        first, second = (distorted(videos, name, 3, seed) for seed in (0, 1))
        assert first.video(0).content() != second.video(0).content()
        assert (read(first, 0) != read(second, 0)).any()
