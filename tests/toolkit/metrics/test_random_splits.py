"""Pieces of a side: held as features or as moments they are of the same videos."""

import numpy as np
import pytest

from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import random_splits
from fvd_bench.metrics.extrapolation import floor
from fvd_bench.metrics.measurement import measure
from fvd_bench.metrics.random_splits import RandomSplit
from fvd_bench.protocols.rules import MetricRule


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def side(rng: np.random.Generator) -> FeatureSet:
    """Eighty videos, numbered 0, 3, 6 and so on, of one to three features of five numbers."""
    owners = np.repeat(3 * np.arange(80), rng.integers(1, 4, 80))
    return FeatureSet.of(rng.normal(size=(len(owners), 5)).astype(np.float32), owners)


@pytest.mark.parametrize(("first", "last"), [(0, 20), (20, 80), (0, 80), (30, 50), (0, 3)])
def test_moments_of_a_piece_are_those_of_its_features(side: FeatureSet, first: int, last: int) -> None:
    order = 3 * np.random.default_rng(1).permutation(80)
    wanted = side.selected(np.isin(side.owners(), order[first:last]))

    for of_moments in (True, False):
        piece = RandomSplit(side, order, (3, 20, 30, 50, 79), of_moments=of_moments).piece(first, last)
        assert piece.count == wanted.count
        assert (piece.features() is None) == (of_moments and last > 3)
        np.testing.assert_allclose(piece.mean(), wanted.mean(), atol=1e-12)
        np.testing.assert_allclose(piece.cov(1), wanted.cov(1), atol=1e-12)


@pytest.mark.parametrize("fakes", [12, 80])
def test_floor_and_infinity_are_the_same_by_moments(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, fakes: int
) -> None:
    sides = {
        "real": FeatureSet.of(rng.normal(size=(400, 4)).astype(np.float32)),
        "fake": FeatureSet.of(rng.normal(size=(5 * fakes, 4)).astype(np.float32) + 1),
    }
    rule = MetricRule(names=("fvd",))
    by_moments = measure([sides], rule, seed=0)["fvd"]

    monkeypatch.setattr(random_splits, "MANY", 1000)
    by_features = measure([sides], rule, seed=0)["fvd"]

    for name in ("floor", "infinite"):
        one, other = getattr(by_moments, name), getattr(by_features, name)
        assert one.value == pytest.approx(other.value, rel=1e-8)
        assert one.interval == pytest.approx(other.interval, rel=1e-7)


def test_metrics_that_need_features_get_them(rng: np.random.Generator) -> None:
    sides = {side: FeatureSet.of(rng.normal(size=(200, 3)).astype(np.float32)) for side in ("real", "fake")}

    found = floor("kvd-biased", sides, MetricRule(names=("kvd-biased",)), seed=0)

    assert not isinstance(found, str) and found is not None
