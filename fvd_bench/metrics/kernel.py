"""Kernel distances: squared maximum mean discrepancy (MMD) between two feature sets under polynomial kernels.

KVD and its biased form use features of videos, and JEDi is the latter on features of V-JEPA. KID uses features of
frames, as torch-fidelity computes it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.metric import Influences, Metric, centred, influence_on_features, on_features
from fvd_bench.packages import needed_for

_ROWS = 1024
"""Rows of a block of features, so that memory does not grow with the square of their number."""

_PERCENT = 100.0
"""JEDi multiplies its distance by 100."""

_SEED = 2020
_SUBSETS = 100
_SUBSET_SIZE = 1000
"""torch-fidelity's defaults (`rng_seed`, `kid_subsets`, `kid_subset_size`), written out so that they do not change
with its version."""


def kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return the unbiased squared MMD under the kernel (x·y / D + 1)³. It may be a little below 0 for sets that are
    alike.

    real: [N, D], with N of at least 2. fake: [M, D], with M of at least 2.
    It is the mean kernel value of pairs of different real features, plus that of different fake ones, less twice that
    of real with fake ones. All features are used, not subsets of them. KVD as in TATS, tats/fvd/fvd.py; estimator:
    Gretton et al. 2012, eq. 3; kernel: Bińkowski et al. 2018, section 4.

    Raises MetricError when a side has fewer than 2 features.
    """
    _need_two(real, fake)
    across = _sum(real.astype(np.float64), fake.astype(np.float64)) / (len(real) * len(fake))
    return _mean_of_others(real.astype(np.float64)) + _mean_of_others(fake.astype(np.float64)) - 2 * across


def biased_kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Compute 100 times the squared MMD under the kernel (x·y / D)², with each feature paired with itself too.

    real: features [N, D]; fake: features [M, D]; N and M are at least 1. The distance is never below 0. It is what JEDi
    computes (Luo et al. 2025; videojedi/JEDi.py), here on the features of the protocol: the name "JEDi" stands for the
    features of V-JEPA. Chance raises it by an amount that falls as 1/N + 1/M.

    This kernel compares second moments, E[x xᵀ], and nothing else: the squared MMD is their squared difference over D²,
    and is computed as that. Raises MetricError when a side has no features.
    """
    if min(len(real), len(fake)) < 1:
        raise MetricError(f"{len(real)} real and {len(fake)} fake features: at least 1 of each is needed")
    difference = (_second_moment(real) - _second_moment(fake)) / real.shape[1]
    return _PERCENT * float(np.sum(difference**2))


def kernel_inception_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return the mean of the unbiased squared MMD over 100 random subsets of each side. It may be a little below 0.

    real: [N, 2048]. fake: [M, 2048].
    Subsets hold min(1000, N, M) features, drawn without repetition by a generator with a fixed seed, from the fake side
    first. The kernel is (x·y / D + 1)³. It is computed in float64: torch-fidelity's own float32 is off by some 1e-7, a
    thousandth of the distance of sets that are alike. Source: Bińkowski et al. 2018, section 4;
    torch_fidelity/metric_kid.py.

    Raises MetricError when a side has fewer than 2 features.
    """
    import torch

    with needed_for("kernel inception distances", "torch-fidelity"):
        from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    size = min(_SUBSET_SIZE, len(real), len(fake))
    if size < 2:
        raise MetricError(
            f"{len(real)} real and {len(fake)} fake features: at least 2 of each are needed for KID, "
            "and 1000 for its usual subsets"
        )
    found = kid_features_to_metric(
        torch.from_numpy(fake.astype(np.float64)),
        torch.from_numpy(real.astype(np.float64)),
        kid_subsets=_SUBSETS,
        kid_subset_size=size,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,  # 1 / D
        kid_kernel_poly_coef0=1,
        rng_seed=_SEED,
        verbose=False,
    )
    return float(found[KEY_METRIC_KID_MEAN])


def _need_two(real: NDArray[np.floating], fake: NDArray[np.floating]) -> None:
    """Raise MetricError when a side has fewer than 2 features, so that one has no other of its side."""
    if min(len(real), len(fake)) < 2:
        raise MetricError(
            f"{len(real)} real and {len(fake)} fake features: at least 2 of each are needed for an unbiased "
            "kernel distance; use more videos"
        )


def _mean_of_others(features: Float64) -> float:
    """Return the mean kernel value of all pairs of different features."""
    count, dim = features.shape
    with_themselves = float(np.sum((np.sum(features**2, axis=1) / dim + 1) ** 3))
    mean: float = (_sum(features, features) - with_themselves) / (count * (count - 1))
    return mean


def _sum(left: Float64, right: Float64) -> float:
    """Return the sum of the kernel values of all pairs."""
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


def _influence_under_cubic_kernel(real: Float64, fake: Float64) -> tuple[Float64, Float64]:
    """Return the influences on the squared MMD of all features under (x·y / D + 1)³: [N] and [M].

    Raises MetricError when a side has fewer than 2 features.
    """
    _need_two(real, fake)
    return (
        centred(2 * (_mean_kernel(real, real, others=True) - _mean_kernel(real, fake))),
        centred(2 * (_mean_kernel(fake, fake, others=True) - _mean_kernel(fake, real))),
    )


def _influence_on_subsets(real: Float64, fake: Float64) -> Influences:
    """Return the influences on the mean over the subsets of KID, [N] and [M]: those on the squared MMD of all features,
    each times how often its feature is in a subset, over the mean of that.

    Raises MetricError when a side has fewer than 2 features.
    """
    of_real, of_fake = _influence_under_cubic_kernel(real, fake)
    size = min(_SUBSET_SIZE, len(real), len(fake))
    if size == max(len(real), len(fake)):
        return of_real, of_fake
    random, real_times, fake_times = np.random.RandomState(_SEED), np.zeros(len(real)), np.zeros(len(fake))
    for _ in range(_SUBSETS):
        for times in (fake_times, real_times):  # as torch-fidelity draws them
            times[random.choice(len(times), size, replace=False)] += 1
    return centred(of_real * real_times / real_times.mean()), centred(of_fake * fake_times / fake_times.mean())


def _influence_under_biased_kernel(real: Float64, fake: Float64) -> Influences:
    """Return the influences on 100 |Mr - Mf|² / D² for second moments M.

    That of a real feature x is 200 x'(Mr - Mf)x / D².
    """
    dim = real.shape[1]
    gap = (_second_moment(real) - _second_moment(fake)) * (2 * _PERCENT) / dim**2
    return centred(np.sum(real @ gap * real, axis=1)), centred(-np.sum(fake @ gap * fake, axis=1))


def _mean_kernel(features: Float64, against: Float64, *, others: bool = False) -> Float64:
    """Return the mean kernel value of each feature with all of `against`.

    others: whether `against` contains the features themselves, and each is paired with all but itself.
    """
    dim = features.shape[1]
    blocks = [
        np.sum((features[first : first + _ROWS] @ against.T / dim + 1) ** 3, axis=1)
        for first in range(0, len(features), _ROWS)
    ]
    sums: Float64 = np.concatenate(blocks)
    if others:
        sums = sums - (np.sum(features**2, axis=1) / dim + 1) ** 3
    return sums / (len(against) - others)


KVD = Metric(
    name="kvd",
    compute=on_features("kvd", kernel_distance),
    lower_is_better=True,
    fewest=(2, 2),
    influence=influence_on_features(_influence_under_cubic_kernel),
    is_skewed=True,
    unbiased=True,
)
KVD_BIASED = Metric(
    name="kvd-biased",
    compute=on_features("kvd-biased", biased_kernel_distance),
    lower_is_better=True,
    range=(0.0, np.inf),
    influence=influence_on_features(_influence_under_biased_kernel),
    rises_by_chance=True,
    is_skewed=True,
)
JEDI = replace(
    KVD_BIASED, name="jedi", layers={"vjepa-h": "pooled"}, compute=on_features("jedi", biased_kernel_distance)
)
KID = Metric(
    name="kid",
    layers={"inception": "2048"},
    compute=on_features("kid", kernel_inception_distance),
    lower_is_better=True,
    fewest=(2, 2),
    influence=influence_on_features(_influence_on_subsets),
    is_skewed=True,
    unbiased=True,
)
"""The unbiased distances have no range, as chance may take them below 0."""
