"""A set of one array: what it knows is what it would know of videos that were added one by one."""

import itertools

import numpy as np
import pytest

from fvd_bench.features import feature_set
from fvd_bench.features.feature_set import FeatureSet

OWNERS = np.array([4, 4, 0, 9, 9, 9, 0, 4])
"""Some videos come back after others."""
FEATURES = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


def one_by_one(owners: np.ndarray, features: np.ndarray) -> FeatureSet:
    found = FeatureSet(3)
    ends = [0, *(np.flatnonzero(np.diff(owners)) + 1), len(owners)]
    for first, last in itertools.pairwise(ends):
        found.add(features[first:last], video=int(owners[first]))
    return found


@pytest.mark.parametrize("kept_values", [24, 23])
def test_an_array_is_the_set_of_its_videos(kept_values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it may be kept or is folded."""
    monkeypatch.setattr(feature_set, "_KEPT_VALUES", kept_values)

    whole, added = FeatureSet.of(FEATURES, OWNERS), one_by_one(OWNERS, FEATURES)

    assert (whole.videos, whole.count, type(whole.videos[0])) == ([4, 0, 9, 0, 4], 8, int)
    assert whole.videos == added.videos and whole.owners().tolist() == added.owners().tolist() == OWNERS.tolist()
    assert (whole.features() is None) == (added.features() is None) == (kept_values == 23)
    assert np.array_equal(whole.mean(), added.mean()) and np.array_equal(whole.cov(1), added.cov(1))
    for each in (whole, added):
        each.add(FEATURES[:2], video=5)
    assert whole.count == added.count == 10 and np.array_equal(whole.cov(1), added.cov(1))


def test_some_of_the_features_keep_their_videos_or_count_as_one() -> None:
    side, kept = FeatureSet.of(FEATURES, OWNERS), OWNERS != 9

    some, one = side.selected(kept), side.selected(kept, as_one=True)

    assert some.owners().tolist() == [4, 4, 0, 0, 4] and one.owners().tolist() == [0] * 5
    for found in (some, one):
        assert np.array_equal(found.features(), FEATURES[kept])
    none = side.selected(OWNERS == 7, as_one=True)
    assert (none.count, none.features(), none.videos) == (0, None, [])
