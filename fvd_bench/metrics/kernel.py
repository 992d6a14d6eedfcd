"""Kernel distances: squared maximum mean discrepancy (MMD) between two feature sets under polynomial kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError

Float64 = NDArray[np.float64]

_ROWS = 1024
"""Rows and columns of a block of kernel values, so that memory does not grow with the number of features."""

_PERCENT = 100.0
"""JEDi multiplies its distance by 100."""


def kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Unbiased squared MMD under the kernel (x·y / D + 1)³; may be a little below 0 for sets that are alike.

    real [N, D], fake [M, D], with N, M of at least 2. The mean kernel value of pairs of different real features, plus
    that of different fake ones, less twice that of real with fake ones. All features are used, not subsets of them.
    KVD as in TATS, tats/fvd/fvd.py; estimator: Gretton et al. 2012, eq. 3; kernel: Bińkowski et al. 2018, section 4.

    Raises MetricError when a side has fewer than 2 features.
    """
    if min(len(real), len(fake)) < 2:
        raise MetricError(
            f"{len(real)} real and {len(fake)} fake features: at least 2 of each are needed for an unbiased "
            "kernel distance; use more videos"
        )
    across = _sum(real.astype(np.float64), fake.astype(np.float64)) / (len(real) * len(fake))
    return _mean_of_others(real.astype(np.float64)) + _mean_of_others(fake.astype(np.float64)) - 2 * across


def biased_kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Squared MMD under the kernel (x·y / D)², each feature paired with itself too, times 100; never below 0.

    real [N, D], fake [M, D], with N, M of at least 1. What JEDi computes (Luo et al. 2025; videojedi/JEDi.py), here on
    the features of the protocol: "JEDi" itself stands for those of V-JEPA. Chance raises it by about 1/N + 1/M.

    This kernel compares second moments, E[x xᵀ], and nothing else: the distance is their squared difference over D²,
    and so it is computed. Raises MetricError when a side has no features.
    """
    if min(len(real), len(fake)) < 1:
        raise MetricError(f"{len(real)} real and {len(fake)} fake features: at least 1 of each is needed")
    difference = (_second_moment(real) - _second_moment(fake)) / real.shape[1]
    return _PERCENT * float(np.sum(difference**2))


def _mean_of_others(features: Float64) -> float:
    """Mean kernel value of all pairs of different features."""
    count, dim = features.shape
    with_themselves = float(np.sum((np.sum(features**2, axis=1) / dim + 1) ** 3))
    mean: float = (_sum(features, features) - with_themselves) / (count * (count - 1))
    return mean


def _sum(left: Float64, right: Float64) -> float:
    """Sum of the kernel values of all pairs."""
    total = 0.0
    for a in range(0, len(left), _ROWS):
        for b in range(0, len(right), _ROWS):
            products = left[a : a + _ROWS] @ right[b : b + _ROWS].T
            total += float(np.sum((products / left.shape[1] + 1) ** 3))
    return total


def _second_moment(features: NDArray[np.floating]) -> Float64:
    values = features.astype(np.float64)
    moment: Float64 = values.T @ values / len(values)
    return moment
