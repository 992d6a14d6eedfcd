"""Roots of covariances: of features and of moments they are the same covariance's, singular or not."""

import numpy as np
import pytest

from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import roots
from fvd_bench.metrics.frechet import distance_and_overlap, frechet_distance, frechet_distance_of_stats
from fvd_bench.protocols.rules import MetricRule

FVD = MetricRule(names=("fvd",))


def features(count: int, dim: int, *, seed: int, least: float = 1.0) -> np.ndarray:
    """Normal features whose directions fall off to a standard deviation of `least`."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    return ((rng.normal(size=(count, dim)) * np.geomspace(1, least, dim)) @ turn).astype(np.float32)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("count", [6, 30, 200])
def test_a_root_squared_is_the_covariance(count: int, quick: bool) -> None:
    side = FeatureSet.of(features(count, 10, seed=count))

    for ddof in (0, 1):
        found = roots.root(side, ddof, quick=quick)
        np.testing.assert_allclose(found.T @ found, side.cov(ddof), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("least", [1e-2, 1e-7, 0.0])
def test_nearly_singular_covariances_are_taken_by_their_eigenvalues(least: float) -> None:
    """Cholesky's decomposition ends of the middle one too, with nothing but rounding in its last directions."""
    scale = np.diag([1.0, 0.5, max(least, 0.0)])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    covariance = turn.T @ scale**2 @ turn

    found = roots.covariance_root(covariance)

    np.testing.assert_allclose(found.T @ found, covariance, atol=1e-14)
    is_triangular = found.shape == (3, 3) and not np.tril(found, -1).any()
    assert is_triangular == (least == 1e-2)
    assert len(found) == (3 if least else 2)
    np.testing.assert_allclose(roots.inverse(found), np.linalg.pinv(found), rtol=1e-6, atol=1e-6 / max(least, 0.1))


def test_a_quick_overlap_is_that_of_the_singular_values() -> None:
    sides = [roots.root(FeatureSet.of(features(500, 20, seed=seed, least=1e-2)), 0) for seed in (1, 2)]

    np.testing.assert_allclose(roots.overlap(*sides, quick=True), roots.overlap(*sides), rtol=1e-8)


@pytest.mark.parametrize("ddof", [0, 1])
def test_large_sides_score_as_small_ones(monkeypatch: pytest.MonkeyPatch, ddof: int) -> None:
    arrays = features(300, 20, seed=1, least=1e-3), features(250, 20, seed=2, least=1e-3) + 0.1
    exact = frechet_distance(*arrays, ddof=ddof)
    sides, rule = [FeatureSet.of(array) for array in arrays], MetricRule(names=("fvd",), ddof=ddof)
    assert frechet_distance_of_stats(*sides, rule) == pytest.approx(exact, rel=1e-13)

    monkeypatch.setattr(roots, "_LARGE", 0)

    assert frechet_distance_of_stats(*sides, rule) == pytest.approx(exact, rel=1e-10)
    value, overlap = distance_and_overlap(*sides, rule)
    assert value == pytest.approx(exact, rel=1e-9)
    assert overlap.sum() == pytest.approx(roots.overlap(*(roots.root(side, 0) for side in sides)).sum(), rel=1e-9)
