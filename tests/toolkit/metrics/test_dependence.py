"""Windows of one video: found, and counted as one where people say so."""

import dataclasses

import numpy as np
import pytest

import fvd_bench
from fvd_bench.errors import FvdBenchError
from fvd_bench.features.stats import FeatureStats
from fvd_bench.metrics.dependence import findings, groups
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.variants import scale_protocols
from fvd_bench.settings import Settings
from fvd_bench.videos.sampling import clip_indices


def _windows(rng: np.random.Generator, videos: int, each: int, alike: float = 0.9) -> np.ndarray:
    shared = np.repeat(rng.standard_normal((videos, 30)), each, axis=0)
    own = rng.standard_normal((videos * each, 30))
    return (np.sqrt(alike) * shared + np.sqrt(1 - alike) * own).astype(np.float32)


@pytest.mark.parametrize(
    ("by", "expected"),
    [(None, [0, 1, 2, 3]), ("folder", [0, 0, 2, 3]), ("folder:1", [0, 0, 2, 2]), (r"clip(\d)", [0, 1, 0, 1])],
)
def test_names_are_grouped(by: str | None, expected: list[int]) -> None:
    assert groups(["a/x/clip1", "a/x/clip2", "b/x/clip1", "b/y/clip2"], by) == expected


@pytest.mark.parametrize(("by", "message"), [("(", "no regular expression"), ("q", "3 of 3 names"), ("folder", "1 of")])
def test_what_groups_nothing_is_refused(by: str, message: str) -> None:
    with pytest.raises(FvdBenchError, match=message):
        groups(["a/1", "a/2", "3"], by)


class TestFindings:
    names = tuple(f"video{v}_window{w}" for v in range(8) for w in range(6))

    def test_windows_of_one_video_are_found_by_names_and_features(self) -> None:
        stats = FeatureStats.of(_windows(np.random.default_rng(0), 8, 6, alike=0.7))

        (warned,) = findings("real", self.names, stats)

        assert warned.code == "not-independent"
        assert warned.message.startswith("the names of 48 real videos have 8 stems, video0, video1, video2")
        assert "--group-by" in warned.message

    def test_windows_without_such_names_are_found_where_they_are_near(self) -> None:
        names = [f"{i:04d}" for i in range(48)]

        near, far = (
            list(findings("fake", names, FeatureStats.of(_windows(np.random.default_rng(0), 8, 6, alike=alike))))
            for alike in (0.9, 0.5)
        )

        assert near[0].message.startswith("neighbouring fake videos are much more alike than others") and far == []

    def test_names_alone_say_nothing(self) -> None:
        assert not list(findings("real", self.names, FeatureStats.of(_windows(np.random.default_rng(0), 48, 1))))


def test_groups_count_as_one_and_move_no_score(tmp_path, moving_frames, pixels_protocol) -> None:
    """Windows of 10 videos, of which each is nearly the others of its video."""
    rng, sides = np.random.default_rng(0), {}
    for side in ("real", "fake"):
        sides[side] = tmp_path / side
        for video in range(10):
            folder = sides[side] / f"video{video}"
            folder.mkdir(parents=True)
            frames = moving_frames(9, seed=int(rng.integers(1000)))
            for window in range(4):
                np.save(folder / f"{window}.npy", np.roll(frames, window, axis=1))
    apart, together, by_name = (
        fvd_bench.evaluate(
            sides["real"], sides["fake"], pixels_protocol(), settings=Settings(cache=None, group_by=group_by)
        )
        for group_by in (None, "folder", r"(video\d+)/")
    )

    assert together.value == apart.value and together.scores == by_name.scores
    assert together.scores[0].error_fake > 1.5 * apart.scores[0].error_fake
    assert "not-independent" in {warned.code for warned in apart.warnings}
    assert "not-independent" not in {warned.code for warned in together.warnings}


def test_the_frozen_scale_has_as_many_clips_as_the_others() -> None:
    protocol = load("stylegan-v-fvd16")
    frozen, reversed_clips = (scale_protocols(protocol)[name].fake for name in ("frozen", "reversed"))

    counts = [
        len(clip_indices(100, dataclasses.replace(rule, start="all"), side="fake", seed=0, place=0))
        for rule in (frozen, reversed_clips)
    ]

    assert counts == [6, 6]
