"""The published numbers of common_metrics_on_video_quality for black against white videos, recomputed here."""

from __future__ import annotations

import numpy as np

from fvd_bench.evaluation.selftest import Check
from fvd_bench.evaluation.selftest_networks import NotRun
from fvd_bench.networks import weights
from fvd_bench.networks.weights.lpips_tensors import BACKBONES
from fvd_bench.paired.differences import decibels, squared_error
from fvd_bench.paired.ssim import ssim
from fvd_bench.protocols.paired import load

_ORIGIN = "JunyaoHu/common_metrics_on_video_quality, README"
_SIDE = 64

_PSNR, _SSIM, _LPIPS = 0.0, 9.999000099990664e-05, 0.8140090703964233
_ROUNDING, _LPIPS_TOLERANCE = 1e-12, 1e-5
"""Sums of the same numbers in another order, in float64 and through a network in float32."""


def checks(device: str = "cpu") -> tuple[Check | NotRun, ...]:
    """Score black against white frames, and frames against themselves. LPIPS is not run where its weights are not."""
    protocol = load("common-metrics")
    assert protocol.psnr is not None and protocol.ssim is not None and protocol.lpips is not None
    black = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    white = np.full_like(black, 255)
    psnr = float(decibels(np.asarray(squared_error(black, white)), protocol.psnr))
    found: list[Check | NotRun] = [
        Check("PSNR of black against white", _PSNR, psnr, _ROUNDING, _ORIGIN),
        Check("SSIM of black against white", _SSIM, ssim(black, white, protocol.ssim), _ROUNDING, _ORIGIN),
        Check("SSIM of black against itself", 1.0, ssim(black, black, protocol.ssim), 0.0, _ORIGIN),
    ]
    of_lpips = {"LPIPS of black against white": (white, _LPIPS), "LPIPS of black against itself": (black, 0.0)}
    network = protocol.lpips.network
    if not weights.is_here(BACKBONES[network].weights):
        reason = f"the weights {BACKBONES[network].weights} are not here"
        return *found, *(NotRun(name, expected, _ORIGIN, reason) for name, (_, expected) in of_lpips.items())
    from fvd_bench.networks.lpips import Lpips

    lpips = Lpips(network, device=device, weights={})
    for name, (other, expected) in of_lpips.items():
        (value,) = lpips.distances(black[None], other[None], (True,))[True]
        found.append(Check(name, expected, value, _LPIPS_TOLERANCE, _ORIGIN))
    return tuple(found)
