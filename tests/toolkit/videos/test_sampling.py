import itertools
from dataclasses import replace

import numpy as np
import pytest

from fvd_bench.errors import ShortVideoError
from fvd_bench.protocols.rules import ClipRule
from fvd_bench.videos.sampling import clip_indices, video_order


def _starts(rule: ClipRule, num_frames: int, *, side: str = "real", seeds: int = 1, indices: int = 1) -> list[int]:
    return [
        int(clip_indices(num_frames, rule, side=side, seed=s, place=i)[0][0])
        for s in range(seeds)
        for i in range(indices)
    ]


def test_the_draws_are_the_documented_ones() -> None:
    rule = ClipRule(frames=16, stride=2, start="random")

    real = clip_indices(75, rule, side="real", seed=3, place=5)
    fake = clip_indices(75, rule, side="fake", seed=3, place=5)
    still = clip_indices(75, ClipRule(frames=4, content="still"), side="fake", seed=3, place=5)

    span = 31
    assert real[0].tolist() == list(range(1, 1 + span, 2))
    assert real[0][0] == np.random.default_rng([3, 5]).integers(0, 75 - span + 1)
    assert fake[0][0] == 23 == np.random.default_rng([3, 5, 1]).integers(0, 75 - span + 1)
    assert still[0].tolist() == [3] * 4 == [np.random.default_rng([3, 5, 2]).integers(0, 75)] * 4


def test_every_start_is_equally_likely_and_both_ends_are_reached() -> None:
    starts = _starts(ClipRule(frames=16, start="random"), 20, seeds=40, indices=50)

    counts = np.bincount(starts, minlength=5)

    assert len(counts) == 5
    assert np.all(np.abs(counts - 400) < 4 * np.sqrt(400 * 0.8))  # 4 standard deviations of a binomial


def test_a_still_of_each_clip_is_any_frame_of_what_the_clip_spans() -> None:
    rule = ClipRule(frames=4, stride=3, start="all", content="still")

    stills = [clip_indices(25, rule, side="fake", seed=seed, place=0) for seed in range(150)]

    for clip, first in enumerate((0, 10)):
        assert {still[clip].tolist()[0] for still in stills} == set(range(first, first + 10))
    assert all(len(set(clip.tolist())) == 1 for still in stills for clip in still)


def test_a_video_that_just_fits_gives_its_only_clip() -> None:
    assert _starts(ClipRule(frames=16, stride=8, start="random"), 121) == [0]
    with pytest.raises(ShortVideoError, match=r"120 frames decode, the clip needs 121"):
        clip_indices(120, ClipRule(frames=16, stride=8, start="random"), side="real", seed=0, place=0)


def test_the_stricter_length_rule_asks_for_whole_strides() -> None:
    rule = ClipRule(frames=16, stride=8, length_rule="frames-times-stride")

    assert rule.frames_needed == 128
    assert ClipRule(frames=16, min_frames=40).frames_needed == 40


def test_all_clips_do_not_overlap_and_leave_out_the_rest() -> None:
    clips = clip_indices(75, ClipRule(frames=16, start="all"), side="real", seed=0, place=0)

    assert [c[0] for c in clips] == [0, 16, 32, 48]
    assert all(len(c) == 16 for c in clips)
    strided = clip_indices(75, ClipRule(frames=9, stride=2, start="all"), side="real", seed=0, place=0)
    assert [(c[0], c[-1]) for c in strided] == [(0, 16), (17, 33), (34, 50), (51, 67)]


def test_a_whole_video_comes_in_pieces_that_miss_nothing() -> None:
    pieces = clip_indices(150, ClipRule(frames="all", stride=2), side="real", seed=0, place=0)

    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(0, 150, 2))
    assert max(map(len, pieces)) <= 64


def test_a_whole_video_has_to_be_as_long_as_is_asked_for() -> None:
    rule = ClipRule(frames="all", min_frames=5)

    assert clip_indices(5, rule, side="real", seed=0, place=0)[0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ShortVideoError, match="4 frames decode, the clip needs 5"):
        clip_indices(4, rule, side="real", seed=0, place=0)


def test_all_videos_are_taken_in_order_and_a_subset_is_drawn_from_the_seed() -> None:
    rule = ClipRule(frames=16, count=4)

    assert list(video_order(4, rule, seed=0)) == [0, 1, 2, 3]
    assert list(video_order(9, ClipRule(frames=16, count=4, selection="first-sorted"), seed=0)) == list(range(9))
    assert sorted(video_order(9, rule, seed=0)) == list(range(9))
    assert list(video_order(9, rule, seed=0)) == list(video_order(9, rule, seed=0))
    assert list(video_order(9, rule, seed=0)) != list(video_order(9, rule, seed=1))


def test_videos_are_taken_again_with_a_draw_of_their_own() -> None:
    rule = ClipRule(frames=16, start="random", count=7, selection="repeated")

    places = list(itertools.islice(video_order(3, rule, seed=0), 7))

    assert [sorted(p % 3 for p in places[i : i + 3]) for i in (0, 3)] == [[0, 1, 2]] * 2
    assert [p // 3 for p in places] == [0, 0, 0, 1, 1, 1, 2]
    starts = {p: int(clip_indices(10_000, rule, side="real", seed=0, place=p)[0][0]) for p in places}
    assert len(set(starts.values())) == 7


def test_a_spread_clip_covers_the_whole_video() -> None:
    rule = ClipRule(frames=5, start="spread")

    assert clip_indices(12, rule, side="fake", seed=0, place=0)[0].tolist() == [0, 2, 5, 8, 11]
    with pytest.raises(ShortVideoError):
        clip_indices(4, rule, side="fake", seed=0, place=0)


def test_changed_copies_of_real_videos_are_of_the_clips_of_the_real_side() -> None:
    rule = ClipRule(frames=16, start="random")
    (real,) = clip_indices(200, rule, side="real", seed=3, place=5)

    (backwards,) = clip_indices(200, replace(rule, content="reversed-real"), side="fake", seed=3, place=5)
    (shuffled,) = clip_indices(200, replace(rule, content="shuffled-real"), side="fake", seed=3, place=5)

    assert backwards.tolist() == real.tolist()[::-1]
    assert sorted(shuffled.tolist()) == real.tolist() != shuffled.tolist()


def test_each_video_is_shuffled_by_itself_and_anew_for_each_seed() -> None:
    rule = ClipRule(frames=16, content="shuffled-real")

    orders = [
        clip_indices(16, rule, side="fake", seed=seed, place=place)[0].tolist()
        for seed in range(3)
        for place in range(3)
    ]

    assert all(sorted(order) == list(range(16)) for order in orders)
    assert len(set(map(tuple, orders))) == 9
