"""Which frames make a training clip."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from stylegan_v.timing import fake_times, possible_spans, real_times

POWERS = {2: [1, 2, 4, 8, 16, 32], 3: [2, 4, 8, 16, 32], 4: [4, 8, 16, 32], 8: [8, 16, 32], 16: [16, 32]}
"""Spans that the released code was seen to draw."""


@pytest.mark.parametrize("frames", POWERS)
@pytest.mark.parametrize("rule", ["powers", "uniform"])
def test_spans_are_drawn_alike(frames: int, rule) -> None:
    rng = np.random.default_rng(frames)

    drawn = Counter(int(np.ptp(real_times(rng, 75, frames, max_span=32, rule=rule))) for _ in range(4000))

    assert sorted(drawn) == (POWERS[frames] if rule == "powers" else list(range(frames - 1, 33)))
    assert stats.chisquare(list(drawn.values())).pvalue > 1e-3


@pytest.mark.parametrize("length", [3, 4, 7, 40])
def test_a_clip_lies_inside_its_video_and_repeats_no_frame(length: int) -> None:
    rng = np.random.default_rng(0)
    clips = np.stack([real_times(rng, length, 3, max_span=32, rule="powers") for _ in range(2000)])

    assert (np.diff(clips) >= 1).all()
    assert clips.min() == 0
    assert clips.max() == length - 1  # every frame can be drawn


def test_frames_between_the_ends_are_drawn_alike() -> None:
    rng = np.random.default_rng(2)
    clips = [real_times(rng, 100, 3, max_span=32, rule="powers") for _ in range(6000)]

    inner = Counter(int(clip[1] - clip[0]) for clip in clips if np.ptp(clip) == 8)

    assert sorted(inner) == list(range(1, 8))
    assert stats.chisquare(list(inner.values())).pvalue > 1e-3


def test_fake_clips_start_anywhere_and_keep_whole_distances() -> None:
    rng = np.random.default_rng(3)
    clips = np.stack([fake_times(rng, 75, 3, max_span=32, rule="powers") for _ in range(3000)])

    np.testing.assert_allclose(np.diff(clips), np.round(np.diff(clips)), atol=1e-9)
    assert clips.min() >= 0
    assert clips.max() < 74
    offsets = clips[np.ptp(clips, axis=1).round() == 4, 0] / (75 - 4 - 1)
    assert stats.kstest(offsets, "uniform").pvalue > 1e-3


def test_a_video_as_long_as_the_clip_has_one_clip() -> None:
    rng = np.random.default_rng(4)

    assert real_times(rng, 8, 8, max_span=32, rule="powers").tolist() == list(range(8))
    assert fake_times(rng, 8, 8, max_span=32, rule="powers").tolist() == list(range(8))
    assert real_times(rng, 1, 1, max_span=32, rule="powers").tolist() == [0]


def test_a_span_is_found_where_no_power_of_two_fits() -> None:
    assert possible_spans(6, 6, max_span=32, rule="powers") == [5]
    assert possible_spans(75, 17, max_span=32, rule="powers") == [16, 32]
