"""Adaptive augmentation of what the discriminator sees (Karras et al. 2020, "Training GANs with limited data").

The pipeline `bgc`: pixel blitting, general geometry and colour. A clip is augmented as one image of 3T channels: one
draw for all of its frames, so that augmentation adds no motion. Everything is linear in the pixels for given draws, and
every step has derivatives of any order, as R1 needs: it takes gradients with respect to frames before augmentation.

Every operation has its own gate, open with probability p. As many numbers are drawn whatever p is: a higher p opens
more gates, and changes nothing about the operations that were drawn already.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.noise import Purpose, normal, uniform

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


class Op(enum.IntEnum):
    """The operations in their order, which is also that of their gates."""

    X_FLIP = 0
    QUARTER_TURNS = 1
    INTEGER_SHIFT = 2
    SCALE = 3
    ROTATION_BEFORE = 4
    STRETCH = 5
    ROTATION_AFTER = 6
    FRACTIONAL_SHIFT = 7
    BRIGHTNESS = 8
    CONTRAST = 9
    LUMA_FLIP = 10
    HUE = 11
    SATURATION = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """All random numbers of N augmentations, float64 on the CPU: [N], or [N, 2] for shifts in x and y.

    gates: [N, 13], in (0, 1), as are the next seven. scale and what follows: standard normal.
    """

    gates: Tensor
    x_flip: Tensor
    quarter_turns: Tensor
    integer_shift: Tensor
    rotation_before: Tensor
    rotation_after: Tensor
    luma_flip: Tensor
    hue: Tensor
    scale: Tensor
    stretch: Tensor
    fractional_shift: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor

    def gated(self, op: Op, value: Tensor, probability: float) -> Tensor:
        """The value where the gate of an operation is open and 0, which leaves images alone, where it is not."""
        is_open = self.gates[:, op] < probability
        return value * is_open.reshape(-1, *[1] * (value.ndim - 1))


def augment(
    frames: Tensor,
    probability: Tensor | float,
    *,
    seed: int,
    purpose: Purpose,
    samples: Tensor,
    consistent: bool = True,
) -> Tensor:
    """Augmented clips: [B, T, 3, H, W] of the shape and type of `frames`.

    frames: [B, T, 3, H, W] in [-1, 1]; results may leave that range. Types below float32 are computed in float32.
    probability: p, one for all; 0 returns the frames untouched. With any other, clips for which no geometric operation
    was drawn are resampled too, which changes them by rounding only (1e-4 at 256²). A tensor on a GPU is waited for.
    samples: int64 [B], the global numbers of the training samples, best on the CPU. They and the seed and purpose
    alone decide what is drawn: neither the place in the batch nor the other samples do. The rest of the batch shows in
    rounding only, as the padding is that of the sample that needs most.
    consistent: one draw per clip, so that equal frames stay equal bit for bit; otherwise one per frame.

    On CUDA the gradient of the sampling adds up in any order, so that its last bits vary.
    """
    batch, length, channels, height, width = frames.shape
    assert channels == 3 and samples.shape == (batch,), (frames.shape, samples.shape)
    probability = float(probability)
    if probability <= 0:
        return frames
    draws = draw(seed, purpose, samples, length=1 if consistent else length)
    geometry = geometry_matrix(draws, probability, height=height, width=width)
    images = frames.reshape(len(geometry), -1, height, width)  # [B, 3T, H, W] or [B·T, 3, H, W]
    images = images.to(torch.promote_types(frames.dtype, torch.float32))
    images = recolour(warp(images, geometry), colour_matrix(draws, probability))
    return images.reshape(frames.shape).to(frames.dtype)


def draw(seed: int, purpose: Purpose, samples: Tensor, *, length: int) -> Draws:
    """Draws for the first frames of B samples: N = B · length, frames of a sample adjacent.

    On the CPU, so that the size of the padding is known without waiting for the device that augments.
    """
    # Uniform and normal numbers of one address are made of the same bits, so each kind has tokens of its own.
    tokens = 2 * torch.arange(length)
    samples = samples.cpu()[:, None]
    uniforms = uniform(seed, purpose, samples, tokens, 21).flatten(0, 1)  # [N, 21]
    normals = normal(seed, purpose, samples, tokens + 1, 7).flatten(0, 1).to(torch.float64)  # [N, 7]
    return Draws(
        gates=uniforms[:, :13],
        x_flip=uniforms[:, 13],
        quarter_turns=uniforms[:, 14],
        integer_shift=uniforms[:, 15:17],
        rotation_before=uniforms[:, 17],
        rotation_after=uniforms[:, 18],
        luma_flip=uniforms[:, 19],
        hue=uniforms[:, 20],
        scale=normals[:, 0],
        stretch=normals[:, 1],
        fractional_shift=normals[:, 2:4],
        brightness=normals[:, 4],
        contrast=normals[:, 5],
        saturation=normals[:, 6],
    )


def geometry_matrix(draws: Draws, probability: float, *, height: int, width: int) -> Tensor:
    """Where each place of an image goes to: [N, 3, 3], in pixels from the centre, x to the right and y down.

    The two rotations have gates of probability 1 - √(1 - p) each, so that p is that of any rotation.
    Source: Karras et al. 2020, appendix B.
    """
    p, size = probability, torch.tensor([width, height], dtype=torch.float64)
    p_rotation = 1 - math.sqrt(max(1 - p, 0))
    flip = draws.gated(Op.X_FLIP, (2 * draws.x_flip).floor(), p)
    turns = draws.gated(Op.QUARTER_TURNS, (4 * draws.quarter_turns).floor(), p)
    steps = draws.gated(Op.INTEGER_SHIFT, (size * 0.125 * _signed(draws.integer_shift)).round(), p)
    scale = draws.gated(Op.SCALE, 0.2 * draws.scale, p).exp2()
    before = draws.gated(Op.ROTATION_BEFORE, math.pi * _signed(draws.rotation_before), p_rotation)
    stretch = draws.gated(Op.STRETCH, 0.2 * draws.stretch, p).exp2()
    after = draws.gated(Op.ROTATION_AFTER, math.pi * _signed(draws.rotation_after), p_rotation)
    shift = draws.gated(Op.FRACTIONAL_SHIFT, size * 0.125 * draws.fractional_shift, p)
    return _in_order(
        _scaling(1 - 2 * flip, torch.ones_like(flip)),
        _rotation(turns * (math.pi / 2)),
        _translation(steps),
        _scaling(scale, scale),
        _rotation(before),
        _scaling(stretch, 1 / stretch),
        _rotation(after),
        _translation(shift),
    )


def colour_matrix(draws: Draws, probability: float) -> Tensor:
    """What becomes of colours (r, g, b, 1): [N, 4, 4]. Source: as of `geometry_matrix`."""
    p = probability
    brightness = draws.gated(Op.BRIGHTNESS, 0.2 * draws.brightness, p)
    contrast = draws.gated(Op.CONTRAST, 0.5 * draws.contrast, p).exp2()
    flip = draws.gated(Op.LUMA_FLIP, (2 * draws.luma_flip).floor(), p)
    hue = draws.gated(Op.HUE, math.pi * _signed(draws.hue), p)
    saturation = draws.gated(Op.SATURATION, draws.saturation, p).exp2()
    one, zero = torch.ones_like(hue), torch.zeros_like(hue)
    return _in_order(
        _translation(brightness[:, None].expand(-1, 3)),
        _scaling(contrast, contrast, contrast),
        _around_luma(1 - 2 * flip, one, zero),
        _around_luma(one, hue.cos(), hue.sin()),
        _around_luma(one, saturation, zero),
    )


def warp(images: Tensor, matrix: Tensor) -> Tensor:
    """Images under `geometry_matrix`: [N, C, H, W] -> [N, C, H, W], float32 or float64.

    Doubled by the symlet, sampled bilinearly, and halved by the same symlet. As that is orthonormal, nothing is lost:
    an identity or an integer shift is exact up to rounding. It is not quite symmetric: its centre is 0.4 samples
    before its middle, so that a flipped image is 0.4 pixels aside. Making up for that would take flips and quarter
    turns off the samples, and so blur them.
    """
    height, width = images.shape[2:]
    inverse = torch.linalg.inv(matrix)
    margin_x, margin_y = _margins(inverse, height=height, width=width)
    images = functional.pad(images, [margin_x, margin_x, margin_y, margin_y], mode="reflect")
    size = torch.tensor([width, height, 2.0], dtype=torch.float64)
    padded = size + torch.tensor([2.0 * margin_x, 2.0 * margin_y, 0.0])
    sampled = size + torch.tensor([_BORDER, _BORDER, 0.0])
    relative = inverse / padded[:, None] * sampled  # between coordinates that are ±1 at the edges
    shape = (len(images), 1, 2 * (height + _BORDER), 2 * (width + _BORDER))
    # The grid is rounded once, at its end: in float32 an error of 1e-7 is already 1e-4 pixels of a large image.
    grid = functional.affine_grid(relative[:, :2].to(images.device), list(shape), align_corners=False)
    return _halve(_sample(_double(images), grid.to(images.dtype)))


def recolour(images: Tensor, matrix: Tensor) -> Tensor:
    """Images under `colour_matrix`, for every three channels: [N, 3T, H, W] -> [N, 3T, H, W]."""
    pixels = images.reshape(len(images), -1, 3, *images.shape[2:])  # [N, T, 3, H, W]
    columns = matrix[:, None, :3, :, None, None].to(images)  # [N, 1, 3, 4, 1, 1]
    # Products and sums of whole tensors, as a matrix product may round equal frames differently.
    mixed = columns[:, :, :, 3]
    for channel in range(3):
        mixed = mixed + columns[:, :, :, channel] * pixels[:, :, channel : channel + 1]
    return mixed.flatten(1, 2)


class AdaptiveProbability:
    """Raises p while the discriminator knows real videos too well, and lowers it otherwise.

    Its measure is the mean sign of the logits of real videos. Each `interval` iterations, p moves by a step towards
    where that is `target`: never below 0, and not capped at 1, above which it only takes longer to come down again.

    batch_videos: videos per iteration, over all processes. kimg: thousands of videos (not of frames) that p needs from
    0 to 1. The default is 100, a step of 0.00256 at 64 videos. StyleGAN2-ADA means 100 for transfer learning and 500,
    a step of 0.000512, for training from scratch. But the code of StyleGAN-V takes a run without `resume` for transfer
    learning, and so its published default runs had 100; 500 comes in there only when a run is resumed.
    """

    def __init__(self, *, batch_videos: int, target: float = 0.6, kimg: float = 100.0, interval: int = 4) -> None:
        self.p = 0.0
        self.target = target
        self.interval = interval
        self.step = batch_videos * interval / (kimg * 1000)
        self._sum_of_signs: Tensor | float = 0.0
        self._count = self._iterations = 0

    def update(self, sum_of_signs: Tensor | float, count: int) -> None:
        """Takes note of an iteration. sum_of_signs, count: of the logits of all its real videos, one each."""
        self._sum_of_signs = self._sum_of_signs + sum_of_signs
        self._count += int(count)
        self._iterations += 1
        if self._iterations >= self.interval:
            excess = float(self._sum_of_signs) - self.target * self._count
            self.p = max(self.p + self.step * ((excess > 0) - (excess < 0)), 0.0)
            self._restart()

    def state_dict(self) -> dict[str, float | int]:
        """All that changes, in plain numbers."""
        return {
            "p": self.p,
            "sum_of_signs": float(self._sum_of_signs),
            "count": self._count,
            "iterations": self._iterations,
        }

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Goes on where `state_dict` was taken, in the middle of an interval too. Raises KeyError."""
        self.p = float(state["p"])
        self._sum_of_signs = float(state["sum_of_signs"])
        self._count = int(state["count"])
        self._iterations = int(state["iterations"])

    def _restart(self) -> None:
        self._sum_of_signs, self._count, self._iterations = 0.0, 0, 0


def _signed(value: Tensor) -> Tensor:
    """(0, 1) to (-1, 1)."""
    return 2 * value - 1


def _in_order(first: Tensor, *others: Tensor) -> Tensor:
    """The map that applies the first matrix first."""
    for other in others:
        first = other @ first
    return first


def _scaling(*factors: Tensor) -> Tensor:
    """D factors of [N] -> [N, D + 1, D + 1]."""
    return torch.diag_embed(torch.stack([*factors, torch.ones_like(factors[0])], dim=-1))


def _translation(offset: Tensor) -> Tensor:
    """[N, D] -> [N, D + 1, D + 1]."""
    matrix = torch.eye(offset.shape[1] + 1, dtype=offset.dtype).repeat(len(offset), 1, 1)
    matrix[:, :-1, -1] = offset
    return matrix


def _rotation(angle: Tensor) -> Tensor:
    """From x towards y: [N] -> [N, 3, 3]."""
    matrix = _scaling(angle.cos(), angle.cos())
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return matrix


def _around_luma(luma: Tensor, chroma: Tensor, turned: Tensor) -> Tensor:
    """Scales the part of colours along (1, 1, 1), that across it, and the latter turned by 90°: [N] -> [N, 4, 4]."""
    along = torch.full((3, 3), 1 / 3, dtype=luma.dtype)
    across = torch.eye(3, dtype=luma.dtype) - along
    quarter_turn = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=luma.dtype) / math.sqrt(3)
    matrix = _scaling(luma, luma, luma)
    parts = ((luma, along), (chroma, across), (turned, quarter_turn))
    matrix[:, :3, :3] = sum(scale[:, None, None] * part for scale, part in parts)
    return matrix


def _margins(inverse: Tensor, *, height: int, width: int) -> tuple[int, int]:
    """Pixels to add on either side in x and in y, for the sample that needs most and at most size - 1.

    With them nothing that is looked at lies outside, unless it is cut to size - 1; what does is 0.
    """
    size = torch.tensor([width, height], dtype=torch.float64)
    outermost = (size + _BORDER - 0.5) / 2  # centre of the last sample
    reach = inverse[:, :2, :2].abs() @ outermost + inverse[:, :2, 2].abs()
    # Around it, half a pixel to the next sample, 2.75 to the farthest pixel that this is made of, half a pixel of it.
    needed = (reach.amax(dim=0) - size / 2 + 3.75).ceil()
    margin_x, margin_y = needed.clamp(min=0).minimum(size - 1).int().tolist()
    return margin_x, margin_y


def _double(images: Tensor) -> Tensor:
    """Images of twice the size: [N, C, H, W] -> [N, C, 2H, 2W]; beyond the edges there is 0."""
    number, channels, height, width = images.shape
    taps = images.new_tensor([*SYMLET6, 0.0]) * math.sqrt(2)
    # An ordinary convolution per phase, even and odd samples, is fast on CUDA; a transposed one per channel is not.
    # Sample 2i + r takes tap r + 5 - 2d from pixel i + d: from left to right the odd or the even taps, backwards.
    even, odd = taps[[11, 9, 7, 5, 3, 1, 12]], taps[[12, 10, 8, 6, 4, 2, 0]]
    phases = torch.stack([even, odd]).repeat(channels, 1)[:, None, None]  # [2C, 1, 1, 7]
    x = functional.conv2d(images, phases, padding=(0, 3), groups=channels)
    x = x.reshape(number, channels, 2, height, width).movedim(2, 4).flatten(3)  # [N, C, H, 2W]
    x = functional.conv2d(x, phases.mT, padding=(3, 0), groups=channels)
    x = x.reshape(number, channels, 2, height, 2 * width).movedim(2, 3)  # [N, C, H, 2, 2W]
    return x.flatten(2, 3)  # [N, C, 2H, 2W]


def _halve(images: Tensor) -> Tensor:
    """The transpose of `_double`, up to its gain of 4: [N, C, 2(H + 5), 2(W + 5)] -> [N, C, H, W]."""
    channels = images.shape[1]
    taps = (images.new_tensor(SYMLET6) / math.sqrt(2)).expand(channels, 1, 1, -1)
    x = functional.conv2d(images, taps, stride=(1, 2), groups=channels)
    return functional.conv2d(x, taps.mT, stride=(2, 1), groups=channels)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples, 0 outside: [N, C, H, W] at [N, H', W', 2] -> [N, C, H', W']."""
    samples: Tensor = _Sample.apply(images, grid)
    return samples


class _Sample(torch.autograd.Function):
    """grid_sample, whose own second derivative not all versions of PyTorch have, with no derivative by the grid."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:  # Any: what autograd passes has no public type
        ctx.shape = images.shape
        ctx.save_for_backward(grid)
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

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
        gradients = torch.ops.aten.grid_sampler_2d_backward(samples, images, grid, bilinear, zeros, False, mask)
        gradient: Tensor = gradients[0]
        return gradient

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradient, grid), None, None
