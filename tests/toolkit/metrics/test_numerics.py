"""One fixed set of features, scored in every way that code in circulation does it.

The features are the real I3D's of fvd-comparison's two sets of 128 random clips, kept in a file. Expected
numbers are published, or were computed once from the same clips with scipy 1.17 and numpy: by scipy.linalg.sqrtm and
eigvals, with numpy.cov and ridges on the covariances, and by a port of VideoGPT's root. Both sides are cut and paired
in the order of drawing.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from safetensors.numpy import load_file

from fvd_bench import metrics
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.networks import goldens
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.protocols.rules import MetricRule

FEATURES = Path(__file__).with_name("random_clips.safetensors")
DIGEST = "9c0a7d2c41894e176dbd46769be57093f5d8932b520f5ad5e790580aba8c970b"

LOGITS = 1e-4
"""Absolute, of logits up to some 10: another build of torch moves them by some 1e-5."""

NETWORK = 5e-6
"""Relative. Another build of torch moves logits by some 1e-5; noise of that size moved these scores by up to 2e-6."""

ROUNDED_ROOTS = 3e-5
"""Absolute. A general matrix root takes roots of some 270 eigenvalues that should be 0 and come out as rounding errors,
so that its distance is too small: by 6e-6 here, and by other amounts under other linear algebra libraries."""

FLOAT32 = 0.03
"""Absolute. What single precision leaves of a difference of traces near 1e3; 0.013 and 0.0015 were seen."""


@pytest.fixture(scope="session")
def features() -> dict[str, np.ndarray]:
    """Side -> float32 [128, 400], as I3D gave them once."""
    assert hashlib.sha256(FEATURES.read_bytes()).hexdigest() == DIGEST
    return load_file(FEATURES)


def _measured(i3d_tensors: dict[str, np.ndarray], seed: int, clips: int) -> np.ndarray:
    network = I3D.from_tensors(i3d_tensors)
    logits = []
    for clip in goldens.random_clips(seed, clips=clips):
        with torch.inference_mode(), float32_arithmetic("float32"):
            logits.append(network(torch.from_numpy(clip).permute(0, 4, 1, 2, 3).contiguous()).numpy())
    return np.concatenate(logits)


@pytest.mark.parametrize("clips", [1, pytest.param(goldens.RANDOM_CLIPS, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("side", "seed"), [("real", goldens.RANDOM_REAL_SEED), ("fake", goldens.RANDOM_FAKE_SEED)])
def test_the_features_are_what_the_network_gives_here(i3d_tensors, features, side: str, seed: int, clips: int) -> None:
    """Of the first clip; of all of them among the slow tests, and the selftest scores them."""
    np.testing.assert_allclose(_measured(i3d_tensors, seed, clips), features[side][:clips], rtol=0, atol=LOGITS)


@pytest.fixture
def real(features) -> np.ndarray:
    return features["real"]


@pytest.fixture
def fake(features) -> np.ndarray:
    return features["fake"]


def fvd(real: np.ndarray, fake: np.ndarray, **rule: object) -> float:
    settings = MetricRule(**{"names": ("fvd",), "ddof": 1, **rule})
    return metrics.compute("fvd", FeatureSet.of(real), FeatureSet.of(fake), settings)


def by_sqrtm(real: np.ndarray, fake: np.ndarray, epsilon: float = 0.0) -> float:
    """A second implementation: the usual formula, with scipy's root of the product."""
    means, covariances = _moments(real, fake, epsilon)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    return float(means @ means + np.trace(covariances[0] + covariances[1]) - 2 * np.trace(root).real)


def by_eigvals(real: np.ndarray, fake: np.ndarray) -> float:
    """A third: the trace of the root is the sum of the roots of the eigenvalues."""
    means, covariances = _moments(real, fake, 0.0)
    values = np.linalg.eigvals(covariances[0] @ covariances[1])
    return float(
        means @ means + np.trace(covariances[0] + covariances[1]) - 2 * np.sqrt(values.astype(complex)).sum().real
    )


def _moments(real: np.ndarray, fake: np.ndarray, epsilon: float) -> tuple[np.ndarray, list[np.ndarray]]:
    covariances = [np.cov(side, rowvar=False, dtype=np.float64) + epsilon * np.eye(400) for side in (real, fake)]
    return real.mean(axis=0, dtype=np.float64) - fake.mean(axis=0, dtype=np.float64), covariances


@pytest.mark.parametrize(("ddof", "expected"), [(1, 10.1380934), (0, 10.0627975)])
def test_exact_distance(real, fake, ddof: int, expected: float) -> None:
    assert fvd(real, fake, ddof=ddof) == pytest.approx(expected, rel=NETWORK)


def test_published_distance(real, fake) -> None:
    """fvd-comparison publishes 10.138085 from TensorFlow, and from torch with sqrtm."""
    assert fvd(real, fake) == pytest.approx(goldens.RANDOM_FVD, rel=NETWORK)
    assert by_sqrtm(real, fake) == pytest.approx(goldens.RANDOM_FVD, rel=NETWORK)


def test_mean_term(real, fake) -> None:
    """What is left against a side without spread, its mean twice, once the trace is taken off."""
    point = np.repeat(fake.mean(axis=0, dtype=np.float64)[None].astype(np.float32), 2, axis=0)
    trace = np.trace(np.cov(real, rowvar=False, dtype=np.float64))

    # noise of 1e-5 moves it by 5e-6, more than the others, and the expected number is rounded at 1e-6
    assert fvd(real, point) - trace == pytest.approx(0.500225, rel=2e-5)


@pytest.mark.parametrize("other_way", [by_sqrtm, by_eigvals])
def test_other_roots_are_a_little_too_low(real, fake, other_way) -> None:
    value = other_way(real, fake)

    assert value == pytest.approx(10.1380873, rel=NETWORK)
    assert 0 < fvd(real, fake) - value < ROUNDED_ROOTS


def test_single_precision_is_off_by_hundredths(real, fake) -> None:
    """VideoGPT's root: 10.15350 was seen elsewhere, and 10.1368 here."""
    value = fvd(real, fake, root="float32-svd")

    assert value == pytest.approx(10.1380934, abs=FLOAT32)
    assert abs(value - fvd(real, fake)) > 1e-5  # else it was not computed in single precision


@pytest.mark.parametrize(("epsilon", "expected"), [(1e-6, 10.137388), (1e-5, 10.132423), (1e-3, 9.914641)])
def test_an_epsilon_lowers_the_distance(real, fake, epsilon: float, expected: float) -> None:
    value = fvd(real, fake, epsilon=epsilon)

    assert value == pytest.approx(expected, rel=NETWORK)
    assert value == pytest.approx(by_sqrtm(real, fake, epsilon), rel=1e-8)  # of full rank now, so sqrtm is right


def test_halves(real, fake) -> None:
    assert fvd(real[:64], fake[:64]) == pytest.approx(18.40242, rel=NETWORK)
    assert fvd(real[:64], real[64:]) == pytest.approx(18.5386, rel=NETWORK)


@pytest.mark.parametrize(("batch", "expected"), [(8, 60.826), (2, 113.549)])
def test_means_over_batches(real, fake, batch: int, expected: float) -> None:
    """Expected to three decimals, so within half of the last one."""
    assert fvd(real, fake, aggregation="batch-mean", batch=batch) == pytest.approx(expected, abs=5e-4 + 2e-4)


def test_means_over_pairs_have_a_closed_form(real, fake) -> None:
    """The covariance of two clips a, b is v vᵀ with v = (a - b) / √2, and the root's trace |v·w|."""
    values = []
    for first in range(0, 128, 2):
        (a, b), (c, d) = (side[first : first + 2].astype(np.float64) for side in (real, fake))
        v, w, gap = (a - b) / 2**0.5, (c - d) / 2**0.5, (a + b - c - d) / 2
        values.append(gap @ gap + v @ v + w @ w - 2 * abs(v @ w))

    assert fvd(real, fake, aggregation="batch-mean", batch=2) == pytest.approx(np.mean(values), rel=1e-12)


def test_a_set_against_itself(real) -> None:
    """0 but for float64, where sqrtm gives -5e-6 and single precision some thousandths of either sign."""
    assert fvd(real, real) == pytest.approx(0, abs=1e-9)
    assert fvd(real, real[::-1]) < 1e-9
    assert -ROUNDED_ROOTS < by_sqrtm(real, real) < 0
    assert 0 < abs(fvd(real, real, root="float32-svd")) < FLOAT32


def test_the_other_metrics_are_torch_fidelitys(real, fake) -> None:
    from torch_fidelity.metric_kid import kernel_mmd
    from torch_fidelity.metric_prc import prc_features_to_metric

    sides = [side.astype(np.float64) for side in (fake, real)]
    theirs = prc_features_to_metric(*map(torch.from_numpy, sides), verbose=False)

    def value(name: str) -> float:
        rule = MetricRule(names=(name,))
        return metrics.compute(name, FeatureSet.of(real), FeatureSet.of(fake), rule)

    assert value("kvd") == pytest.approx(kernel_mmd(*sides), rel=1e-9)
    assert value("precision") == pytest.approx(theirs["precision"], abs=1e-6)
    assert value("recall") == pytest.approx(theirs["recall"], abs=1e-6)
