"""CMMD: the squared maximum mean discrepancy (MMD) of images' CLIP embeddings under a Gaussian kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.metric import Influences, Metric, centred, influence_on_features, on_features

_SIGMA = 10.0
_SCALE = 1000.0
"""The width of the kernel, and what CMMD multiplies its distance by."""

_LONGEST = 1e4
"""The longest feature. The kernel has to know squared distances to a fraction of 200, and those of features that are
longer are lost in the rounding of squared lengths: it is off by more than one in 1e9."""

_ROWS = 1024
"""Rows of a block of features, so that memory does not grow with the square of their number."""


def gaussian_kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return 1000 times the squared MMD under the kernel exp(-|x - y|² / 200), each feature paired with itself too.

    real: [N, D]; fake: [M, D]; N and M are at least 1. The distance is never below 0, and chance raises it by an amount
    that falls as 1/N + 1/M. CMMD embeds images by CLIP ViT-L/14 at 336 pixels, each divided by its length. Source:
    Jayasumana et al. 2024 (arXiv:2401.09603), section 4; sayakpaul/cmmd-pytorch, distance.py.

    Raises MetricError when a side has no features, or one that is longer than 10,000, far beyond any embedding.
    """
    if min(len(real), len(fake)) < 1:
        raise MetricError(f"{len(real)} real and {len(fake)} fake features: at least 1 of each is needed")
    x, y = real.astype(np.float64), fake.astype(np.float64)
    longest = max(float(np.linalg.norm(side, axis=1).max()) for side in (x, y))
    if longest > _LONGEST:
        raise MetricError(
            f"a feature is of length {longest:.3g}, and a kernel of width {_SIGMA:g} is computed of lengths up to "
            f"{_LONGEST:,.0f}: expected embeddings of CLIP, of length 1"
        )
    within = float(_mean_kernel(x, x).mean() + _mean_kernel(y, y).mean())
    return _SCALE * max(0.0, within - 2 * float(_mean_kernel(x, y).mean()))


def _influence(real: Float64, fake: Float64) -> Influences:
    return (
        centred(2 * _SCALE * (_mean_kernel(real, real) - _mean_kernel(real, fake))),
        centred(2 * _SCALE * (_mean_kernel(fake, fake) - _mean_kernel(fake, real))),
    )


def _mean_kernel(features: Float64, against: Float64) -> Float64:
    """Return the mean kernel value of each feature with all of `against`."""
    lengths = np.sum(against**2, axis=1)
    means = []
    for first in range(0, len(features), _ROWS):
        block = features[first : first + _ROWS]
        squares = np.sum(block**2, axis=1)[:, None] + lengths - 2 * (block @ against.T)
        means.append(np.exp(squares / (-2 * _SIGMA**2)).mean(axis=1))
    return np.concatenate(means)


CMMD = Metric(
    name="cmmd",
    layers={"clip-l14-336": "embedding"},
    compute=on_features("cmmd", gaussian_kernel_distance),
    lower_is_better=True,
    range=(0.0, np.inf),
    influence=influence_on_features(_influence),
    rises_by_chance=True,
)
