"""Images moved by an affine map: doubled, sampled between pixels, and halved (Karras et al. 2020, appendix B).

Doubling and halving use the symlet of six moments. It is orthonormal, so nothing is lost: an identity or an integer
shift is exact up to rounding. It is not quite symmetric: the centre of its taps lies 0.098 samples after the fifth. So
a flip or a quarter turn about the middle of an image leaves it 0.098 pixels aside, here as in the released code.

Beyond its edges an image is reflected, without repeating its outermost pixels. This reflection has a period of 2 (W -
1) pixels, so one period holds all of it, whatever is asked for. Shapes are therefore the same for every map, and
nothing has to be known of the map before. The released code pads as far as a batch needs, at most by W - 1 pixels.
Within these it gives the same image; beyond them it has 0 where the reflection goes on here.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.augment_draws import constant

SYMLET6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
"""The decomposition low-pass of the symlet with 6 vanishing moments (Daubechies 1992, table 6.3); its sum is √2."""

_BORDER = 5
"""Samples of the doubled image that halving needs beyond each edge: half of its 12 taps less the two of a pixel."""


def warp(images: Tensor, sources: Tensor) -> Tensor:
    """Return images whose places come from `sources`: [N, C, H, W] -> [N, C, H, W].

    images: float32 or float64. sources: float64 [N, 2, 3] on the same device, as of `augment_draws.geometry`.
    Equal channels stay equal bit for bit.
    """
    height, width = images.shape[2:]
    x, y = (_axis(size, images.dtype, images.device) for size in (width, height))
    samples = _sample(_apply(y.doubling, x.doubling, images), _grid(sources, height, width).to(images.dtype))
    return _apply(y.halving, x.halving, samples)


@dataclass(frozen=True, slots=True)
class _Axis:
    """The linear maps along one axis.

    doubling: to one period of the reflected image, [4 (size - 1) + 1, size]. halving: [size, 2 (size + 5)].
    """

    doubling: Tensor
    halving: Tensor


@functools.lru_cache(maxsize=8)
def _axis(size: int, dtype: torch.dtype, device: torch.device) -> _Axis:
    """Make the maps of an axis. They are cached, since a copy from the CPU makes a GPU wait."""
    period = 2 * (size - 1)  # in pixels
    taps = np.array(SYMLET6)
    doubling, halving = np.zeros((2 * period + 1, size)), np.zeros((size, 2 * (size + _BORDER)))
    for place in range(-_BORDER, period + _BORDER):
        pixel = min(place % period, -place % period)
        samples = 2 * place - _BORDER + np.arange(len(taps))  # pixel i is spread over the samples 2i - 5 to 2i + 6
        inside = (samples >= 0) & (samples <= 2 * period)
        doubling[samples[inside], pixel] += math.sqrt(2) * taps[inside]
    for pixel in range(size):
        halving[pixel, 2 * pixel : 2 * pixel + len(taps)] = taps / math.sqrt(2)
    return _Axis(*(torch.from_numpy(matrix).to(device, dtype) for matrix in (doubling, halving)))


def _apply(rows: Tensor, columns: Tensor, images: Tensor) -> Tensor:
    """Apply a linear map along both axes: [N, C, H, W] -> [N, C, rows, columns].

    This works image by image, since one product of all images may round equal images differently.
    """
    flat = images.flatten(0, 1)
    flat = torch.bmm(flat, columns.T.expand(len(flat), -1, -1))
    flat = torch.bmm(rows.expand(len(flat), -1, -1), flat)
    return flat.reshape(*images.shape[:2], *flat.shape[1:])


@functools.lru_cache(maxsize=8)
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Return where the samples that halving needs lie, in pixels from the centre, as (x, y, 1).

    The result is float64 [2 (H + 5), 2 (W + 5), 3]. Sample n of a doubled image lies n / 2 pixels from its first pixel.
    """
    samples = [torch.arange(-_BORDER, 2 * size + _BORDER, dtype=torch.float64) for size in (height, width)]
    y, x = (axis / 2 - (size - 1) / 2 for axis, size in zip(samples, (height, width), strict=True))
    x, y = torch.meshgrid(x, y, indexing="xy")
    return torch.stack([x, y, torch.ones_like(x)], dim=2).to(device)


def _grid(sources: Tensor, height: int, width: int) -> Tensor:
    """Return where in the doubled period each sample comes from: [N, H', W', 2].

    The first sample of the period is at -1, its last at 1.

    The caller rounds the result once: in float32 an error of 1e-7 is already 1e-4 pixels of a large image.
    """
    places = _places(height, width, sources.device)
    half_period = constant((width - 1, height - 1), sources.device)[:, None]
    relative = sources / half_period + constant((0, 0, 0.5), sources.device)  # 0 at the first pixel, 1 at the last
    grid = places.flatten(0, 1) @ relative.mT
    return grid.remainder(2).sub(1).reshape(len(sources), *places.shape[:2], 2)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    """Sample images bilinearly: [N, C, H, W] at [N, H', W', 2] -> [N, C, H', W']."""
    samples: Tensor = _Sample.apply(images, grid)
    return samples


class _Sample(torch.autograd.Function):
    """grid_sample without a derivative by the grid. Some versions of PyTorch lack a second derivative of their own."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:  # Any: autograd's context has no public type
        ctx.shape = images.shape
        ctx.save_for_backward(grid)
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _SampleTransposed.apply(gradient, grid, ctx.shape), None


class _SampleTransposed(torch.autograd.Function):
    """The transpose of `_Sample`. Since `_Sample` is linear, the two are each other's derivatives."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = samples.new_zeros(()).expand(shape)  # only the shape matters
        bilinear, zeros, mask = 0, 0, [True, False]
        gradients = torch.ops.aten.grid_sampler_2d_backward(samples, images, grid, bilinear, zeros, True, mask)
        gradient: Tensor = gradients[0]
        return gradient

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradient, grid), None, None
