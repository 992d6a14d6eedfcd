"""How much each feature moves a metric: influence functions, the first-order effect of a feature's weight.

The influence of a feature is the derivative of the metric by ε when the feature gets the weight 1/N + ε at the expense
of all of its side. Their mean is 0, and a metric varies, when the features of a side are drawn anew, by their
standard deviation over √N. Source: Hampel 1974; for U-statistics it is twice the centred projection (Hoeffding 1948).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.special
from numpy.typing import NDArray

from fvd_bench.features.stats import FeatureStats, Float64
from fvd_bench.metrics.frechet import frechet_influence_of_stats

Influences = tuple[Float64 | None, Float64 | None]
"""Of the real features [N] and of the fake ones [M]; None for a side whose features were not kept."""

_ROWS = 1024


def influence(name: str, real: FeatureStats, fake: FeatureStats) -> Influences | None:
    """Influences of a metric by name; None where none is known, or where it needs features that were not kept."""
    if name in ("fvd", "fid"):
        return frechet_influence_of_stats(real, fake)
    real_features, fake_features = real.features(), fake.features()
    if name not in _OF_FEATURES or real_features is None or fake_features is None:
        return None
    return _OF_FEATURES[name](real_features.astype(np.float64), fake_features.astype(np.float64))


def _of_cubic_kernel(real: Float64, fake: Float64) -> Influences:
    """Of the squared MMD under (x·y / D + 1)³, be it of all features or a mean over subsets of them."""
    return (
        _centred(2 * (_mean_kernel(real, real, others=True) - _mean_kernel(real, fake))),
        _centred(2 * (_mean_kernel(fake, fake, others=True) - _mean_kernel(fake, real))),
    )


def _of_biased_kernel(real: Float64, fake: Float64) -> Influences:
    """Of 100 |Mr - Mf|² / D² for second moments M: 200 x'(Mr - Mf)x / D² for a real feature x."""
    dim = real.shape[1]
    gap = (real.T @ real / len(real) - fake.T @ fake / len(fake)) * 200 / dim**2
    return _centred(np.sum(real @ gap * real, axis=1)), _centred(-np.sum(fake @ gap * fake, axis=1))


def _of_inception_score(real: Float64, fake: Float64) -> Influences:
    """Of exp of the mean divergence: that times each frame's own divergence. To first order the mean of the
    probabilities, which each frame moves as well, adds nothing."""
    logs = scipy.special.log_softmax(fake, axis=1)
    shares = np.exp(logs)
    divergence = np.sum(shares * (logs - np.log(shares.mean(axis=0))), axis=1)
    return np.zeros(len(real)), _centred(np.exp(divergence.mean()) * divergence)


_OF_FEATURES: dict[str, Callable[[Float64, Float64], Influences]] = {
    "kvd": _of_cubic_kernel,
    "kid": _of_cubic_kernel,
    "kvd-biased": _of_biased_kernel,
    "is": _of_inception_score,
}


def _mean_kernel(features: Float64, against: Float64, *, others: bool = False) -> Float64:
    """Mean kernel value of each feature with all of `against`; others: with all but itself, which is among them."""
    dim = features.shape[1]
    blocks = [
        np.sum((features[first : first + _ROWS] @ against.T / dim + 1) ** 3, axis=1)
        for first in range(0, len(features), _ROWS)
    ]
    sums: Float64 = np.concatenate(blocks)
    if others:
        sums = sums - (np.sum(features**2, axis=1) / dim + 1) ** 3
    return sums / (len(against) - others)


def _centred(values: NDArray[np.float64]) -> Float64:
    return np.asarray(values - values.mean())
