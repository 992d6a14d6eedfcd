"""Structural similarity of two frames (Wang, Bovik, Sheikh and Simoncelli 2004), by the window that a rule names."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from fvd_bench.features.moments import Float64
from fvd_bench.protocols.paired import SsimRule
from fvd_bench.videos.video import Pixels

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(real: Pixels, fake: Pixels, rule: SsimRule) -> float:
    """Return the mean SSIM over the channels of two frames, uint8 [H, W, 3]: -1 to 1, and 1 for equal ones.

    The frames have to be large enough, see `fits`.
    """
    return float(np.mean([_of_channel(real[..., c], fake[..., c], rule) for c in range(real.shape[2])]))


def fits(height: int, width: int, rule: SsimRule) -> bool:
    """Return whether frames of this size are large enough for the window."""
    return min(height, width) >= {"zeros": 1, "reflect": rule.size // 2 + 1, "valid": rule.size}[rule.border]


def _of_channel(a: NDArray[np.uint8], b: NDArray[np.uint8], rule: SsimRule) -> float:
    """Return the mean SSIM of two channels [H, W]."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y, xx, yy, xy = _local_means(np.stack([x, y, x * x, y * y, x * y]), rule)
    unbiased = rule.size**2 / (rule.size**2 - 1) if rule.covariance == "sample" else 1.0
    variance_x, variance_y = unbiased * (xx - mean_x * mean_x), unbiased * (yy - mean_y * mean_y)
    covariance = unbiased * (xy - mean_x * mean_y)
    above = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    below = (mean_x * mean_x + mean_y * mean_y + _C1) * (variance_x + variance_y + _C2)
    return float((above / below).mean())


def _local_means(planes: Float64, rule: SsimRule) -> Float64:
    """Return the means of planes [K, H, W] in the window around each place, as far as the border says."""
    from scipy import ndimage

    mode = "mirror" if rule.border == "reflect" else "constant"  # SciPy's names for them
    for axis in (1, 2):
        if rule.window == "gaussian":
            planes = ndimage.correlate1d(planes, _taps(rule.size, rule.sigma), axis=axis, mode=mode)
        else:
            planes = ndimage.uniform_filter1d(planes, rule.size, axis=axis, mode=mode)
    rim = rule.size // 2 if rule.border == "valid" else 0
    return planes[:, rim : planes.shape[1] - rim, rim : planes.shape[2] - rim]


@functools.cache
def _taps(size: int, sigma: float) -> Float64:
    """Return a Gaussian at whole numbers around 0, with the sum 1."""
    weights = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())
