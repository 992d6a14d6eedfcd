"""Which frames make a training clip."""

from collections import Counter

import numpy as np
import pytest
import torch

from stylegan_v.data.times import ClipRule, ClipTimes
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

POWERS = {2: [1, 2, 4, 8, 16, 32], 3: [2, 4, 8, 16, 32], 4: [4, 8, 16, 32], 8: [8, 16, 32], 16: [16, 32]}
"""Spans that the released code was seen to draw."""


def real(length: int, frames: int, *, clips: int = 4000, seed: int = 0, **rule) -> np.ndarray:
    """Frames of many clips of one video."""
    times = ClipTimes([length], ClipRule(frames=frames, **rule))
    return times.real(seed, torch.arange(clips), torch.zeros(clips, dtype=torch.int64))[0].numpy()


def fake(length: int, frames: int, *, clips: int = 4000, seed: int = 0, **rule) -> np.ndarray:
    return ClipTimes([length], ClipRule(frames=frames, **rule)).fake(seed, torch.arange(clips))[0].numpy()


@pytest.mark.parametrize("frames", POWERS)
@pytest.mark.parametrize("rule", ["powers", "uniform"])
def test_spans_are_drawn_alike(frames: int, rule) -> None:
    drawn = Counter(np.ptp(real(75, frames, spans=rule), axis=1).tolist())

    assert sorted(drawn) == (POWERS[frames] if rule == "powers" else list(range(frames - 1, 33)))
    assert stats.chisquare(list(drawn.values())).pvalue > 1e-3


@pytest.mark.parametrize("length", [3, 4, 7, 40])
def test_a_clip_lies_inside_its_video_and_repeats_no_frame(length: int) -> None:
    clips = real(length, 3)

    assert (np.diff(clips) >= 1).all()
    assert clips.min() == 0
    assert clips.max() == length - 1  # every frame can be drawn


def test_frames_between_the_ends_are_drawn_alike() -> None:
    clips = real(100, 3, clips=6000)
    inner = Counter((clips[:, 1] - clips[:, 0])[np.ptp(clips, axis=1) == 8].tolist())

    assert sorted(inner) == list(range(1, 8))
    assert stats.chisquare(list(inner.values())).pvalue > 1e-3


def test_pairs_of_frames_between_the_ends_are_drawn_alike() -> None:
    clips = real(100, 4, clips=8000)
    pairs = Counter(map(tuple, (clips[:, 1:3] - clips[:, :1])[np.ptp(clips, axis=1) == 8].tolist()))

    assert sorted(pairs) == [(a, b) for a in range(1, 8) for b in range(a + 1, 8)]
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3


def test_real_clips_start_at_any_frame_alike() -> None:
    clips = real(12, 3, clips=6000)
    starts = Counter(clips[np.ptp(clips, axis=1) == 4, 0].tolist())

    assert sorted(starts) == list(range(8))
    assert stats.chisquare(list(starts.values())).pvalue > 1e-3


def test_fake_clips_start_anywhere_and_keep_whole_distances() -> None:
    clips = fake(75, 3, seed=3)

    np.testing.assert_allclose(np.diff(clips), np.round(np.diff(clips)), atol=1e-9)
    assert clips.min() >= 0
    assert clips.max() < 74
    offsets = clips[np.ptp(clips, axis=1).round() == 4, 0] / (75 - 4 - 1)
    assert stats.kstest(offsets, "uniform").pvalue > 1e-3


def test_a_video_as_long_as_the_clip_has_one_clip() -> None:
    assert real(8, 8, clips=1).tolist() == [list(range(8))]
    assert fake(8, 8, clips=1).tolist() == [list(range(8))]
    assert real(1, 1, clips=1).tolist() == [[0]]


def test_a_span_is_found_where_no_power_of_two_fits() -> None:
    assert ClipRule(frames=6).possible_spans(6) == [5]
    assert ClipRule(frames=17).possible_spans(75) == [16, 32]


def test_times_depend_on_seed_and_sample_alone() -> None:
    times, samples = ClipTimes([9, 40, 3, 75], ClipRule(frames=3)), torch.tensor([5, 2**33, 0])
    videos, reals = times.fake(1, samples)[1], times.real(1, samples, torch.tensor([1, 3, 0]))

    for place in range(3):
        alone = times.real(1, samples[place : place + 1], torch.tensor([1, 3, 0])[place : place + 1])
        assert all(torch.equal(one[0], many[place]) for one, many in zip(alone, reals, strict=True))
        assert torch.equal(times.fake(1, samples[place : place + 1])[1][0], videos[place])
    assert not torch.equal(times.fake(2, samples)[0], times.fake(1, samples)[0])


def test_generated_clips_take_every_video_alike() -> None:
    videos = ClipTimes([9, 40, 3, 75], ClipRule(frames=3)).fake(1, torch.arange(4000))[1]

    assert stats.chisquare(torch.bincount(videos, minlength=4).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("stride", [1, 2])
def test_consecutive_frames_begin_anywhere(stride: int) -> None:
    """Generated clips begin at whole times too."""
    for clips in (real(12, 4, spans="consecutive", stride=stride), fake(12, 4, spans="consecutive", stride=stride)):
        starts = Counter(clips[:, 0].tolist())

        assert (np.diff(clips) == stride).all()
        assert sorted(starts) == list(range(12 - 3 * stride))
        assert stats.chisquare(list(starts.values())).pvalue > 1e-3


def test_consecutive_frames_come_from_one_window() -> None:
    times = ClipTimes([50], ClipRule(frames=4, max_frames=8, spans="consecutive"))
    frames, inside = times.real(0, torch.arange(4000), torch.zeros(4000, dtype=torch.int64))

    assert (inside.max(), frames.max()) == (7, 49)
    assert ((frames - inside).diff(dim=1) == 0).all()


def test_pairs_at_beta_times_are_those_of_digan() -> None:
    """Figures of the authors' code: 0.4 of a window on average between generated frames, 0.4255 between real ones."""
    rule = {"spans": "beta", "max_frames": 16}
    clips, made = real(40, 2, clips=20000, **rule), fake(40, 2, clips=20000, **rule) / 15
    apart = np.diff(clips)[:, 0]

    assert (apart >= 0).all() and (clips.min(), clips.max()) == (0, 39)
    assert apart.mean() / 15 == pytest.approx(0.4255, abs=0.005)
    assert (apart == 0).mean() == pytest.approx(0.042, abs=0.005)
    assert np.diff(made).mean() == pytest.approx(0.4, abs=0.005) and made.min() >= 0 and made.max() <= 1
    lower, upper = made.T
    assert stats.kstest(np.concatenate([lower, upper]), "uniform").pvalue > 1e-3  # both betas together are uniform
    assert (lower <= upper).all()
    assert ClipRule(frames=2, **rule).needed == 16
