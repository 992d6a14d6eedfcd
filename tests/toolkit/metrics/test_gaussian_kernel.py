import itertools
import math

import numpy as np
import pytest

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import METRICS, gaussian_kernel
from fvd_bench.metrics.gaussian_kernel import gaussian_kernel_distance


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of length 1, as CLIP's are, around two places."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(17, 6)), rng.normal(size=(11, 6)) + 0.7
    return tuple((side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in (real, fake))


def mean_kernel(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean([math.exp(-(math.dist(x, y) ** 2) / 200) for x, y in itertools.product(left, right)]))


def test_distance_is_the_double_loops(sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """With blocks of 4 rows, of which the last one is not full."""
    monkeypatch.setattr(gaussian_kernel, "_ROWS", 4)
    real, fake = (side.astype(np.float64) for side in sides)

    expected = mean_kernel(real, real) + mean_kernel(fake, fake) - 2 * mean_kernel(real, fake)

    assert gaussian_kernel_distance(*sides) == pytest.approx(1000 * expected, rel=1e-9)


@pytest.mark.parametrize("length", [1e12, 3e37])
def test_features_whose_distances_are_lost_in_rounding_are_refused(sides, length: float) -> None:
    real, fake = sides

    with pytest.raises(MetricError, match=r"a feature is of length .*e\+\d\d, .*: expected embeddings of CLIP"):
        gaussian_kernel_distance(real, (fake * length).astype(np.float32))


def test_the_longest_features_are_as_far_apart_as_any(sides) -> None:
    real, fake = (side + np.array([9e3, 0, 0, 0, 0, 0]) for side in sides)
    expected = mean_kernel(real, real) + mean_kernel(fake, fake) - 2 * mean_kernel(real, fake)

    assert gaussian_kernel_distance(real, fake) == pytest.approx(1000 * expected, abs=1e-6)


def test_two_images_are_as_far_apart_as_their_embeddings() -> None:
    """Of one image a side CMMD is 2000 (1 - exp(-d²/200)): 7.696 for embeddings with d² = 0.771."""
    real, fake = np.array([[0.0, 0.0]]), np.array([[0.771**0.5, 0.0]])

    assert gaussian_kernel_distance(real, fake) == pytest.approx(7.695, abs=1e-3)


def test_a_set_against_itself_is_0() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(17, 6))

    values = [gaussian_kernel_distance(features, rng.permutation(features)) for _ in range(20)]

    assert min(values) >= 0  # rounding alone would take two of these below it
    assert max(values) == pytest.approx(0, abs=1e-9)


def test_no_features_are_an_error(sides) -> None:
    with pytest.raises(MetricError, match="0 real and 11 fake features: at least 1 of each"):
        gaussian_kernel_distance(sides[0][:0], sides[1])


def test_influences_are_derivatives(sides) -> None:
    """A feature that is taken a thousand times more often moves the distance by its influence."""
    real, fake = (FeatureSet.of(side) for side in sides)
    influences = METRICS["cmmd"].influence(real, fake)
    assert influences is not None

    for side, place in ((0, 3), (1, 5)):
        weights = [np.full(len(features), 1 / len(features)) for features in sides]
        step = 1e-6
        weights[side] *= 1 - step
        weights[side][place] += step
        moved = sum(
            sign * float(weights[a] @ _kernel(sides[a], sides[b]) @ weights[b])
            for sign, a, b in ((1, 0, 0), (1, 1, 1), (-2, 0, 1))
        )
        slope = (1000 * moved - gaussian_kernel_distance(*sides)) / step
        found = influences[side]
        assert found is not None
        assert float(found[place]) == pytest.approx(slope, rel=1e-2, abs=1e-4)


def _kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    squares = np.sum((left[:, None].astype(np.float64) - right[None]) ** 2, axis=2)
    kernel: np.ndarray = np.exp(-squares / 200)
    return kernel
