"""Distances between the features of the real and the fake side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.protocol import MetricRule
from fvd_bench.stats import FeatureStats, Float64

_ROUNDING = 1e-9
"""Largest negative distance, relative to the sum of the traces, that is taken for rounding."""


@dataclass(frozen=True, slots=True)
class Metric:
    """compute: (real, fake, ddof) -> value."""

    name: str
    compute: Callable[[FeatureStats, FeatureStats, int], float]
    lower_is_better: bool


def frechet_distance(real: NDArray[np.floating], fake: NDArray[np.floating], *, ddof: int) -> float:
    """Squared Fréchet distance between Gaussian fits of two feature sets.

    real [N, D], fake [M, D], with N, M of at least 2; ddof: 0 divides covariances by N, 1 by N - 1.

    |μr - μf|² + tr Σr + tr Σf - 2 tr √(Σr Σf), where the last trace is the nuclear norm of A Bᵀ for centred
    and scaled data matrices with Σr = AᵀA, Σf = BᵀB. Unlike a matrix square root this is exact for singular
    covariances: it needs no epsilon and is never complex. Source: Heusel et al. 2017, eq. 6.

    Raises MetricError when a side has fewer than 2 features, or features that are not finite.
    """
    _check_counts(len(real), len(fake))
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise MetricError("some features are not finite")
    real_mean, real_root = _centred(real, ddof)
    fake_mean, fake_root = _centred(fake, ddof)
    return _distance(real_mean - fake_mean, real_root, fake_root)


def frechet_distance_of_stats(real: FeatureStats, fake: FeatureStats, ddof: int) -> float:
    """`frechet_distance` of two sides, from their features where both were kept, else from their moments."""
    _check_counts(real.count, fake.count)
    real_features, fake_features = real.features(), fake.features()
    if real_features is not None and fake_features is not None:
        return frechet_distance(real_features, fake_features, ddof=ddof)
    return _distance(real.mean() - fake.mean(), _root(real.cov(ddof)), _root(fake.cov(ddof)))


METRICS = {
    "fvd": Metric("fvd", frechet_distance_of_stats, lower_is_better=True),
    "fid": Metric("fid", frechet_distance_of_stats, lower_is_better=True),
}


def compute(name: str, real: FeatureStats, fake: FeatureStats, rule: MetricRule) -> float:
    """A metric by name, aggregated as the rule says. Raises MetricError.

    `batch-mean` cuts both sides into consecutive batches of `rule.batch` features, pairs them in order and
    averages the scores; what is left over on either side is not used.
    """
    metric = METRICS[name]
    if rule.aggregation == "all":
        return metric.compute(real, fake, rule.ddof)
    real_features, fake_features = real.features(), fake.features()
    if real_features is None or fake_features is None:
        raise MetricError("batch-mean needs all features, and these are too many to be kept")
    batches = min(real.count, fake.count) // rule.batch
    if batches == 0:
        raise MetricError(f"{real.count} real and {fake.count} fake features do not fill a batch of {rule.batch}")
    parts = [slice(i * rule.batch, (i + 1) * rule.batch) for i in range(batches)]
    pairs = [(FeatureStats.of(real_features[p]), FeatureStats.of(fake_features[p])) for p in parts]
    return float(np.mean([metric.compute(r, f, rule.ddof) for r, f in pairs]))


def _check_counts(real: int, fake: int) -> None:
    if min(real, fake) < 2:
        raise MetricError(
            f"{real} real and {fake} fake features: at least 2 of each are needed for a covariance, "
            "and hundreds for a score that means something"
        )


def _centred(features: NDArray[np.floating], ddof: int) -> tuple[Float64, Float64]:
    """Mean [D] and a root A [at most D, D] of the covariance, Σ = AᵀA."""
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    centred = (values - mean) / np.sqrt(len(values) - ddof)
    if len(centred) > centred.shape[1]:
        centred = np.linalg.qr(centred, mode="r")
    return mean, centred


def _root(covariance: Float64) -> Float64:
    """A root A [D, D] of a covariance, Σ = AᵀA; directions of rounding size are dropped."""
    values, vectors = scipy.linalg.eigh(covariance)
    noise = len(values) * np.finfo(np.float64).eps * values[-1]
    kept = values > noise
    root: Float64 = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return root


def _distance(mean_gap: Float64, real_root: Float64, fake_root: Float64) -> float:
    traces = float(np.sum(real_root**2) + np.sum(fake_root**2))
    shared = float(scipy.linalg.svdvals(real_root @ fake_root.T).sum()) if len(real_root) and len(fake_root) else 0.0
    value = float(mean_gap @ mean_gap) + traces - 2 * shared
    if not value >= -_ROUNDING * max(traces, 1e-300):
        raise MetricError(f"the distance came out as {value}: the features are far out of range")
    return max(value, 0.0)
