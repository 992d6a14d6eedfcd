import itertools
from collections.abc import Callable

import numpy as np
import pytest

from fvd_bench.errors import MetricError
from fvd_bench.metrics import kernel
from fvd_bench.metrics.kernel import biased_kernel_distance, kernel_distance

BY_HAND_REAL = np.arange(1, 10).reshape(3, 3)
BY_HAND_FAKE = np.array([[7, 6, 5], [4, 3, 2], [1, 1, 8], [0, 2, 5]])
"""The two sets in videojedi/mmd_polynomial.py, and in transferlearning's mmd_numpy_sklearn.py that it comes from."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def sides(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    real = rng.normal(size=(37, 6)).astype(np.float32)
    return real, (rng.normal(size=(23, 6)) * 1.2 + 0.3).astype(np.float32)


def cubic(x: np.ndarray, y: np.ndarray) -> float:
    return float(sum(a * b for a, b in zip(x.tolist(), y.tolist(), strict=True)) / len(x) + 1) ** 3


def square(x: np.ndarray, y: np.ndarray) -> float:
    return float(sum(a * b for a, b in zip(x.tolist(), y.tolist(), strict=True)) / len(x)) ** 2


def mmd(real: np.ndarray, fake: np.ndarray, value: Callable[..., float], *, with_itself: bool) -> float:
    """Written a second time, pair by pair."""

    def mean(side: np.ndarray) -> float:
        pairs = itertools.product(range(len(side)), repeat=2)
        return float(np.mean([value(side[i], side[j]) for i, j in pairs if with_itself or i != j]))

    across = float(np.mean([value(x, y) for x in real for y in fake]))
    return mean(real) + mean(fake) - 2 * across


def test_distance_is_the_double_loops(sides) -> None:
    assert kernel_distance(*sides) == pytest.approx(mmd(*sides, cubic, with_itself=False), rel=1e-11)


def test_biased_distance_is_a_hundred_times_the_double_loops(sides) -> None:
    """Of moments here and of kernel values there: the two ways share no step."""
    assert biased_kernel_distance(*sides) == pytest.approx(100 * mmd(*sides, square, with_itself=True), rel=1e-11)


def test_distance_is_torch_fidelitys(rng: np.random.Generator) -> None:
    """Its estimator wants sides of equal size."""
    from torch_fidelity.metric_kid import kernel_mmd

    real, fake = rng.normal(size=(200, 40)), rng.normal(size=(200, 40)) + 0.1

    assert kernel_distance(real, fake) == pytest.approx(kernel_mmd(real, fake), rel=1e-11)


def test_published_numbers_of_the_biased_distance() -> None:
    """270.7 is printed in videojedi/mmd_polynomial.py, without its factor 100; 270.7222 is 2436.5 / 9.

    2436.5 stands in the older file for the kernel (x·y)², D² = 9 times ours. The newer file repeats it beside
    degree 3 with coefficient 1, where it cannot be: that kernel gives 23088.08.
    """
    value = biased_kernel_distance(BY_HAND_REAL, BY_HAND_FAKE) / 100

    assert value == pytest.approx(270.7, abs=0.05)
    assert 9 * value == pytest.approx(2436.5, rel=1e-12)
    assert mmd(BY_HAND_REAL, BY_HAND_FAKE, cubic, with_itself=True) == pytest.approx(23088.0833, abs=1e-4)


def test_two_points_by_hand() -> None:
    """D = 1; kernel values (1·2 + 1)³ = 27 and (0·1 + 1)³ = 1 inside; across 1, 8, 1, 27 with points 0 and 1."""
    real, fake = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]])

    assert kernel_distance(real, fake) == pytest.approx(27 + 1 - 2 * (1 + 8 + 1 + 27) / 4, rel=1e-12)
    assert biased_kernel_distance(real, fake) == pytest.approx(100 * (2.5 - 0.5) ** 2, rel=1e-12)


def test_a_set_against_itself(sides) -> None:
    """The biased distance is 0; the unbiased one is below 0, by what a feature and itself add to the mean across."""
    real, _ = sides
    others = np.mean([cubic(x, y) for x, y in itertools.permutations(real, 2)])
    own = np.mean([cubic(x, x) for x in real])

    assert biased_kernel_distance(real, real) == pytest.approx(0, abs=1e-9)
    assert biased_kernel_distance(real, real[::-1]) == pytest.approx(0, abs=1e-12)
    assert kernel_distance(real, real) == pytest.approx(2 * (others - own) / len(real), rel=1e-11)


def test_only_the_unbiased_distance_of_equal_distributions_is_zero_on_average(rng: np.random.Generator) -> None:
    pairs = [(rng.normal(size=(8, 4)), rng.normal(size=(12, 4))) for _ in range(2000)]

    unbiased = np.array([kernel_distance(real, fake) for real, fake in pairs])
    biased = np.array([biased_kernel_distance(real, fake) for real, fake in pairs])

    assert abs(unbiased.mean()) < 4 * unbiased.std() / np.sqrt(len(pairs))
    assert (unbiased < 0).mean() > 0.2
    assert biased.mean() == pytest.approx(
        100 * (1 / 8 + 1 / 12) * (4 * 4 + 4) / 16, rel=0.1
    )  # trace of Var x xᵀ: D² + D


def test_blocks_do_not_move_the_distance(sides, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kernel_distance(*sides)

    monkeypatch.setattr(kernel, "_ROWS", 5)

    assert kernel_distance(*sides) == pytest.approx(whole, rel=1e-12)


def test_too_few_features_are_refused(sides) -> None:
    real, fake = sides

    with pytest.raises(MetricError, match="1 real and 23 fake features: at least 2"):
        kernel_distance(real[:1], fake)
    with pytest.raises(MetricError, match="37 real and 0 fake"):
        biased_kernel_distance(real, fake[:0])
