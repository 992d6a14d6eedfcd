"""How far frames are from each other, value by value: what PSNR and temporal flickering are made of."""

from __future__ import annotations

from typing import Literal

import numpy as np

from fvd_bench.features.moments import Float64
from fvd_bench.protocols.paired import PsnrRule
from fvd_bench.videos.video import Pixels

_SQUARES = np.arange(256, dtype=np.int32) ** 2
_TABLES = {"exact": _SQUARES, "uint8": _SQUARES % 256}
"""Absolute difference of two values -> what its square counts. In uint8, (a - b)² wraps to the same, since a - b and
b - a are each other's negatives modulo 256."""


def squared_error(real: Pixels, fake: Pixels, arithmetic: Literal["exact", "uint8"] = "exact") -> float:
    """Return the mean squared difference of two frames, uint8 [H, W, 3], in grey levels. Its sum is exact."""
    return float(_TABLES[arithmetic][_difference(real, fake)].sum(dtype=np.int64) / real.size)


def change(before: Pixels, after: Pixels) -> float:
    """Return the mean absolute difference of two frames, uint8 [H, W, 3], in grey levels. Its sum is exact."""
    return float(_difference(before, after).sum(dtype=np.int64) / before.size)


def steadiness(change: Float64) -> Float64:
    """Return temporal flickering as VBench scores it, 0 to 1 for still videos. change: mean changes in grey levels.

    Source: Vchitect/VBench, vbench/temporal_flickering.py.
    """
    return (255 - change) / 255


def decibels(error: Float64, rule: PsnrRule) -> Float64:
    """Return the PSNR of mean squared errors in grey levels: of none it is infinite, or what the rule says."""
    with np.errstate(divide="ignore"):
        found: Float64 = 20 * np.log10(255 / (np.sqrt(error) + rule.epsilon))
    return found if rule.most is None else np.minimum(found, rule.most)


def _difference(a: Pixels, b: Pixels) -> Pixels:
    difference: Pixels = np.maximum(a, b) - np.minimum(a, b)
    return difference
