"""Resizing images with explicit weights, or by Pillow.

The last bits of `torch.nn.functional.interpolate` depend on the number of threads. Here each output value is a sum of
products in a fixed order, made by one elementwise operation at a time, so it does not depend on threads. Pillow
computes with whole numbers, on one thread.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Kernel = Literal["bilinear", "bilinear-tf1", "bilinear-align-corners", "bicubic", "bilinear-pillow", "bicubic-pillow"]

_PILLOW = {"bilinear-pillow": Image.Resampling.BILINEAR, "bicubic-pillow": Image.Resampling.BICUBIC}


def resample(images: Tensor, size: tuple[int, int], *, kernel: Kernel, antialias: bool) -> Tensor:
    """Resize images [N, H, W, C], uint8 or float32, to the (height, width) `size`.

    Returns float32 [N, height, width, C], without rounding or clamping unless by Pillow.
    kernel: `bilinear` and `bicubic` are torch's, with half-pixel centres (align_corners=False). `bilinear-tf1` is
        TensorFlow 1's resize_bilinear (source = target · in / out). `bilinear-align-corners` is Chainer's
        resize_images, and torch's with align_corners=True (source = target · (in - 1) / (out - 1)). `bilinear-pillow`
        and `bicubic-pillow` are Pillow's resize of 8-bit RGB images: C is 3, and values are whole numbers of 0 to 255.
    antialias: whether the kernel is widened when an image shrinks, as Pillow does.
    """
    if kernel in _PILLOW:
        return _by_pillow(images, size, _PILLOW[kernel])
    for axis, target in ((1, size[0]), (2, size[1])):
        if images.shape[axis] != target:
            images = _along(images, axis, *_taps(images.shape[axis], target, kernel, antialias, images.device))
    return images.float()


def _by_pillow(images: Tensor, size: tuple[int, int], kernel: Image.Resampling) -> Tensor:
    height, width = size
    frames = images.to(torch.uint8).cpu().numpy()
    resized = np.stack([np.asarray(Image.fromarray(frame).resize((width, height), kernel)) for frame in frames])
    return torch.from_numpy(resized).to(images.device, torch.float32)


def _along(images: Tensor, axis: int, places: Tensor, weights: Tensor) -> Tensor:
    """Resize along one axis: sum over taps the weight times the line at the tap's place.

    places, weights: [taps, out], on the device of the images.
    """
    lines = images.transpose(1, axis).contiguous()  # copying whole lines is many times faster than single values
    out: Tensor | None = None
    for tap_places, tap_weights in zip(places, weights, strict=True):
        part = lines.index_select(1, tap_places).float().mul_(tap_weights.view(-1, 1, 1))
        out = part if out is None else out.add_(part)
    assert out is not None
    return out.transpose(1, axis)


@lru_cache(maxsize=256)
def _taps(source: int, target: int, kernel: Kernel, antialias: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return which source lines each target line is made of, and their weights, both [taps, target], on a device."""
    places, weights = _lines_and_weights(source, target, kernel, antialias)
    lines = torch.from_numpy(places.T.copy()).to(device)
    return lines, torch.from_numpy(weights.T.astype(np.float32)).to(device)


def _lines_and_weights(
    source: int, target: int, kernel: Kernel, antialias: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the same as arrays [target, taps]."""
    ratio = source / target
    places = np.arange(target)
    if antialias:
        return _antialiased_taps(source, ratio, places, kernel)
    if kernel == "bicubic":
        centre = (places + 0.5) * ratio - 0.5
        offsets = np.arange(-1, 3)
        weights = _cubic(np.floor(centre)[:, None] + offsets - centre[:, None], a=-0.75)
    else:
        centre = _bilinear_centres(source, target, kernel)
        offsets = np.arange(2)
        fraction = centre - np.floor(centre)
        weights = np.stack([1 - fraction, fraction], axis=1)
    lines = np.floor(centre).astype(np.int64)[:, None] + offsets
    return np.clip(lines, 0, source - 1), weights


def _bilinear_centres(source: int, target: int, kernel: Kernel) -> NDArray[np.float64]:
    """Return the place among the source lines that each target line has."""
    places = np.arange(target, dtype=np.float64)
    if kernel == "bilinear-tf1":
        return places * (source / target)
    if kernel == "bilinear-align-corners":
        return places * ((source - 1) / max(target - 1, 1))
    return np.maximum((places + 0.5) * (source / target) - 0.5, 0)


def _antialiased_taps(
    source: int, ratio: float, places: NDArray[np.int64], kernel: Kernel
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the taps of a kernel that is stretched over all source lines under a target line. Weights sum to 1."""
    stretch = max(ratio, 1.0)
    support = (2.0 if kernel == "bicubic" else 1.0) * stretch
    centre = (places + 0.5) * ratio
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + support + 0.5).astype(np.int64), source)
    lines = first[:, None] + np.arange((last - first).max())
    distance = (lines - centre[:, None] + 0.5) / stretch
    weights = _cubic(distance, a=-0.5) if kernel == "bicubic" else np.maximum(1 - np.abs(distance), 0)
    weights = np.where(lines < last[:, None], weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(lines, 0, source - 1), weights


def _cubic(distance: NDArray[np.float64], *, a: float) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel (Keys 1981, eq. 4 with free parameter a)."""
    d = np.abs(distance)
    inner = ((a + 2) * d - (a + 3)) * d * d + 1
    outer = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0))
