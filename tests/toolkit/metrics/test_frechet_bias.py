"""What chance adds to a Fréchet distance, against distances of simulated features."""

import numpy as np
import pytest

from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.frechet import distance_and_overlap, frechet_distance
from fvd_bench.metrics.frechet_bias import Overlap
from fvd_bench.protocols.rules import MetricRule

DIM = 60


def _features(rng: np.random.Generator, count: int, slope: float) -> np.ndarray:
    deviations = np.arange(1, DIM + 1) ** (-slope / 2)
    return (rng.standard_normal((count, DIM)) * deviations).astype(np.float32)


def _mean_score(n: int, m: int, slope: float, ddof: int = 0) -> float:
    rng = np.random.default_rng([n, m])
    return float(
        np.mean(
            [frechet_distance(_features(rng, n, slope), _features(rng, m, slope), ddof=ddof) for _ in range(4000 // n)]
        )
    )


@pytest.mark.parametrize("slope", [1.0, 1.7])
@pytest.mark.parametrize(("n", "m"), [(20, 20), (60, 60), (200, 200), (30, 200)])
def test_it_is_what_equal_populations_score(slope: float, n: int, m: int) -> None:
    """Of the known spectrum, which is what infinitely many features would show. The law is that of many dimensions, and
    of those that matter there are few where the spectrum is steep."""
    known = Overlap.of(np.arange(1, DIM + 1) ** -slope, 10**9, 10**9, DIM)

    assert known.added(n, m, 0) == pytest.approx(_mean_score(n, m, slope), rel=0.06 if slope == 1 else 0.12)
    assert known.guessed(n, m) == 0


def test_the_divisor_of_covariances_counts() -> None:
    known = Overlap.of(np.arange(1, DIM + 1) ** -1.0, 10**9, 10**9, DIM)

    assert known.added(20, 20, 1) == pytest.approx(_mean_score(20, 20, 1.0, ddof=1), rel=0.04)
    assert known.added(20, 20, 1) > 1.03 * known.added(20, 20, 0)


@pytest.mark.parametrize(("n", "m"), [(20, 20), (40, 40), (120, 120), (30, 200)])
def test_a_few_features_show_the_law_for_other_numbers(n: int, m: int) -> None:
    rng, known = np.random.default_rng(0), Overlap.of(np.arange(1, DIM + 1) ** -1.3, 10**9, 10**9, DIM)
    ratios = []
    for _ in range(20):
        sides = [FeatureSet.of(_features(rng, count, 1.3)) for count in (n, m)]
        _, values = distance_and_overlap(*sides, MetricRule(names=("fvd",)))
        seen = Overlap.of(values, n, m, DIM)
        ratios.append(seen.added(2 * n, 2 * m, 0) / seen.added(n, m, 0))

    expected = known.added(2 * n, 2 * m, 0) / known.added(n, m, 0)
    assert np.mean(ratios) == pytest.approx(expected, rel=0.03)


def test_features_of_few_directions_hide_none() -> None:
    rng, directions = np.random.default_rng(0), np.random.default_rng(1).standard_normal((2, DIM))
    sides = [FeatureSet.of((rng.standard_normal((30, 2)) @ directions).astype(np.float32)) for _ in range(2)]
    _, values = distance_and_overlap(*sides, MetricRule(names=("fvd",)))

    seen = Overlap.of(values, 30, 30, DIM)

    assert seen.guessed(30, 30) == 0
    assert seen.added(60, 60, 0) == pytest.approx(seen.added(30, 30, 0) / 2, rel=0.05)


def test_the_scale_is_that_of_the_distance() -> None:
    """Of 12 directions that 20 features show in full, as near as a law of many dimensions comes to so few."""
    rng, found = np.random.default_rng(0), []
    shape = np.where(np.arange(DIM) < 12, 1.0, 0.0).astype(np.float32)
    for _ in range(40):
        sides = [FeatureSet.of(rng.standard_normal((20, DIM)).astype(np.float32) * shape) for _ in range(2)]
        value, values = distance_and_overlap(*sides, MetricRule(names=("fvd",)))
        found.append((Overlap.of(values, 20, 20, DIM).added(20, 20, 0), value))

    expected, scored = np.mean(found, axis=0)
    assert expected == pytest.approx(scored, rel=0.12)


def test_it_says_how_much_it_guesses() -> None:
    rng = np.random.default_rng(0)
    guessed = {}
    for count in (20, 60, 200):
        sides = [FeatureSet.of(_features(rng, count, 1.3)) for _ in range(2)]
        _, values = distance_and_overlap(*sides, MetricRule(names=("fvd",)))
        guessed[count] = Overlap.of(values, count, count, DIM).guessed(count, count)

    assert guessed[20] > 0.3 and 0 < guessed[60] < 0.2 and guessed[200] == 0
