"""Images moved by an affine map: doubled, sampled between pixels, and halved (Karras et al. 2020, appendix B).

Doubling and halving are by the symlet of six moments. As that is orthonormal nothing is lost: an identity, an integer
shift is exact up to rounding. It is not quite symmetric, the centre of its taps being 0.098 samples after the fifth: a
flip or a quarter turn about the middle of an image leaves it 0.098 pixels aside, here as in the released code.

Beyond its edges an image is reflected, its outermost pixels not repeated. Such a reflection repeats itself after
2 (W - 1) pixels, so one period holds all of it, whatever is asked for: shapes are the same for every map, and
nothing has to be known of the map before. The released code pads as far as a batch needs, at most by W - 1 pixels;
within these it gives the same image, and beyond them it has 0 where the reflection goes on here.
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
"""Decomposition low-pass of the symlet with 6 vanishing moments (Daubechies 1992, table 6.3), of sum √2."""

_BORDER = 5
"""Samples of the doubled image that halving looks at beyond each edge: 12 taps, less the two of a pixel, halved."""


def warp(images: Tensor, sources: Tensor) -> Tensor:
    """Images whose places come from `sources`, as of `augment_draws.geometry`: [N, C, H, W] -> [N, C, H, W].

    images: float32 or float64. sources: float64 [N, 2, 3] on the same device. Equal channels stay equal bit for bit.
    """
    height, width = images.shape[2:]
    x, y = (_axis(size, images.dtype, images.device) for size in (width, height))
    samples = _sample(_apply(y.doubling, x.doubling, images), _grid(sources, height, width).to(images.dtype))
    return _apply(y.halving, x.halving, samples)


@dataclass(frozen=True, slots=True)
class _Axis:
    """doubling: one period of the reflected image, [4 (size - 1) + 1, size]. halving: [size, 2 (size + 5)]."""

    doubling: Tensor
    halving: Tensor


@functools.lru_cache(maxsize=8)
def _axis(size: int, dtype: torch.dtype, device: torch.device) -> _Axis:
    """Made once, since a copy from the CPU makes a GPU wait."""
    period = 2 * (size - 1)  # in pixels
    taps = np.array(SYMLET6)
    doubling, halving = np.zeros((2 * period + 1, size)), np.zeros((size, 2 * (size + _BORDER)))
    for place in range(-_BORDER, period + _BORDER):
        pixel = min(place % period, -place % period)
        samples = 2 * place - _BORDER + np.arange(len(taps))  # that pixel i is spread over: 2i - 5 to 2i + 6
        inside = (samples >= 0) & (samples <= 2 * period)
        doubling[samples[inside], pixel] += math.sqrt(2) * taps[inside]
    for pixel in range(size):
        halving[pixel, 2 * pixel : 2 * pixel + len(taps)] = taps / math.sqrt(2)
    return _Axis(*(torch.from_numpy(matrix).to(device, dtype) for matrix in (doubling, halving)))


def _apply(rows: Tensor, columns: Tensor, images: Tensor) -> Tensor:
    """A linear map along both axes: [N, C, H, W] -> [N, C, rows, columns].

    Image by image, as one product of them all may round equal images differently.
    """
    flat = images.flatten(0, 1)
    flat = torch.bmm(flat, columns.T.expand(len(flat), -1, -1))
    flat = torch.bmm(rows.expand(len(flat), -1, -1), flat)
    return flat.reshape(*images.shape[:2], *flat.shape[1:])


@functools.lru_cache(maxsize=8)
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Pixels from the centre of the samples that halving looks at, (x, y, 1): [2 (H + 5), 2 (W + 5), 3], float64.

    Sample n of a doubled image lies n / 2 pixels from its first pixel.
    """
    samples = [torch.arange(-_BORDER, 2 * size + _BORDER, dtype=torch.float64) for size in (height, width)]
    y, x = (axis / 2 - (size - 1) / 2 for axis, size in zip(samples, (height, width), strict=True))
    x, y = torch.meshgrid(x, y, indexing="xy")
    return torch.stack([x, y, torch.ones_like(x)], dim=2).to(device)


def _grid(sources: Tensor, height: int, width: int) -> Tensor:
    """Where in the doubled period each sample comes from, from -1 at its first sample to 1 at its last: [N, H', W', 2].

    Rounded once, by the caller: in float32 an error of 1e-7 is already 1e-4 pixels of a large image.
    """
    places = _places(height, width, sources.device)
    half_period = constant((width - 1, height - 1), sources.device)[:, None]
    relative = sources / half_period + constant((0, 0, 0.5), sources.device)  # the first pixel is 0, the last one 1
    grid = places.flatten(0, 1) @ relative.mT
    return grid.remainder(2).sub(1).reshape(len(sources), *places.shape[:2], 2)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples: [N, C, H, W] at [N, H', W', 2] -> [N, C, H', W']."""
    samples: Tensor = _Sample.apply(images, grid)
    return samples


class _Sample(torch.autograd.Function):
    """grid_sample, whose own second derivative not all versions of PyTorch have, with no derivative by the grid."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:  # Any: what autograd passes has no public type
        ctx.shape = images.shape
        ctx.save_for_backward(grid)
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _SampleTransposed.apply(gradient, grid, ctx.shape), None


class _SampleTransposed(torch.autograd.Function):
    """Transpose of `_Sample`, which is linear; so the two are each other's derivatives."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = samples.new_zeros(()).expand(shape)  # only its shape matters
        bilinear, zeros, mask = 0, 0, [True, False]
        gradients = torch.ops.aten.grid_sampler_2d_backward(samples, images, grid, bilinear, zeros, True, mask)
        gradient: Tensor = gradients[0]
        return gradient

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradient, grid), None, None
