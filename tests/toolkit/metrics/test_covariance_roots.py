"""Roots of covariances: of features and of moments they are the same covariance's, singular or not."""

import numpy as np
import pytest

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import covariance_roots as roots
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


@pytest.mark.parametrize(("count", "quick"), [(30, True), (30, False), (200, False)])
def test_roots_of_features_keep_what_a_covariance_loses(count: int, quick: bool) -> None:
    """Few features have one always, many unless it is to be quick."""
    spreads = np.geomspace(1, 1e-10, 10)
    values = (np.random.default_rng(0).normal(size=(count, 10)) * spreads).astype(np.float32)

    found = roots.root(FeatureSet.of(values), 0, quick=quick)

    expected = np.linalg.svd(roots.centred(values, 0)[1], compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(found, compute_uv=False), expected, rtol=1e-4)


@pytest.mark.parametrize("count", [6, 200])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_have_no_root(count: int, value: float) -> None:
    values = features(count, 10, seed=0)
    values[3, 3] = value

    with pytest.raises(MetricError, match="some features are not finite"):
        frechet_distance_of_stats(FeatureSet.of(features(20, 10, seed=1)), FeatureSet.of(values), FVD)


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


def test_a_quick_overlap_of_directions_that_one_side_lacks_is_a_number() -> None:
    sides = [features(500, 20, seed=seed) for seed in (1, 2)]
    sides[1][:, :8] = 0.0
    found = [roots.root(FeatureSet.of(side), 0, quick=True) for side in sides]

    quick, exact = (roots.overlap(*found, quick=quick) for quick in (True, False))

    np.testing.assert_allclose(quick[:12], exact[:12], rtol=1e-8)
    np.testing.assert_allclose(quick[12:], 0.0, atol=1e-6)


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
