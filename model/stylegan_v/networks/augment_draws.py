"""What is drawn for augmentation, and the maps of geometry and colour that result (Karras et al. 2020, appendix B).

Every operation has its own gate, which is open with probability p. The same number of random numbers is drawn whatever
p is. So a higher p opens more gates, and changes nothing about the operations whose gates were open already.
"""

from __future__ import annotations

import enum
import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan_v.networks.noise import Purpose, box_muller, uniform

_SHIFT = 0.125
"""As a fraction of the size of an image: the largest integer shift, and the standard deviation of a fractional one."""


class Op(enum.IntEnum):
    """The operations in their order. Their gates have the same order."""

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
    """All random numbers of N augmentations, float64.

    gates: [N, 13], in (0, 1).
    uniforms: [N, 8], in (0, 1), for the flip, the quarter turns, the integer shift in x and in y, the rotations before
    and after, the flip of the luma, and the hue.
    normals: [N, 7], standard normal, for the scale, the stretch, the fractional shift in x and in y, brightness,
    contrast, and saturation.
    """

    gates: Tensor
    uniforms: Tensor
    normals: Tensor


_UNIFORM_OPS = (
    *(Op.X_FLIP, Op.QUARTER_TURNS, Op.INTEGER_SHIFT, Op.INTEGER_SHIFT, Op.ROTATION_BEFORE, Op.ROTATION_AFTER),
    *(Op.LUMA_FLIP, Op.HUE),
)
_NORMAL_OPS = (
    *(Op.SCALE, Op.STRETCH, Op.FRACTIONAL_SHIFT, Op.FRACTIONAL_SHIFT),
    *(Op.BRIGHTNESS, Op.CONTRAST, Op.SATURATION),
)


def draw(seed: int, purpose: Purpose | Tensor, samples: Tensor) -> Draws:
    """Draw for N samples, int64 [N], on their device. purpose: one for all samples, or int64 [N]."""
    # Uniform and normal numbers at one address are made from the same bits, so each kind has a token of its own.
    tokens = torch.arange(2, device=samples.device)
    purposes = purpose[:, None] if isinstance(purpose, Tensor) else purpose
    numbers = uniform(seed, purposes, samples[:, None], tokens, 21)
    normals = box_muller(numbers[:, 1, :8])[:, :7].to(torch.float64)
    return Draws(gates=numbers[:, 0, :13], uniforms=numbers[:, 0, 13:], normals=normals)


def geometry(draws: Draws, probability: Tensor, *, height: int, width: int) -> Tensor:
    """Map each place of an augmented image to its source: [N, 2, 3], in pixels from the centre, x to the right, y down.

    An image is flipped, turned, shifted and so on in the order of `Op`; the result is the inverse of that, in closed
    form. The gates of the two rotations have probability 1 - √(1 - p) each, so that p is the probability of any
    rotation.
    """
    x, y = _SHIFT * width, _SHIFT * height
    uniforms = draws.uniforms[:, :6] * constant((2, 4, 2 * x, 2 * y, 2 * math.pi, 2 * math.pi), draws.uniforms.device)
    uniforms = uniforms + constant((0, 0, 0.5 - x, 0.5 - y, -math.pi, -math.pi), uniforms.device)
    normals = draws.normals[:, :4] * constant((0.2, 0.2, x, y), uniforms.device)
    values = torch.cat([uniforms[:, :4].floor(), uniforms[:, 4:], normals], dim=1)
    values = values * _open(draws, _UNIFORM_OPS[:6] + _NORMAL_OPS[:4], probability)
    flip, turns, _, _, before, after, scale, stretch, _, _ = values.unbind(1)
    steps, shift = values[:, 2:4, None], values[:, 8:, None]  # [N, 2, 1]

    angles = torch.stack([turns * (math.pi / 2), before, after], dim=1)
    cosines, sines = angles.cos(), angles.sin()
    back = torch.stack([cosines, sines, -sines, cosines], dim=2).reshape(-1, 3, 2, 2)  # from y towards x
    factors = torch.stack([-scale - stretch, stretch - scale], dim=1).exp2()  # in x and in y
    late = (back[:, 1] * factors[:, None]) @ back[:, 2]
    unflip = torch.stack([1 - 2 * flip, torch.ones_like(flip)], dim=1)
    early = unflip[:, :, None] * back[:, 0]
    return torch.cat([early @ late, -early @ (late @ shift + steps)], dim=2)


def colours(draws: Draws, probability: Tensor) -> Tensor:
    """Map colours (r, g, b, 1) to augmented ones: [N, 3, 4].

    The order is brightness, contrast, a flip of the luma, a turn of the hue, and saturation. All but brightness scale
    the part of a colour along (1, 1, 1) and the part across it, and turn the latter; so they commute.
    """
    uniforms = draws.uniforms[:, 6:] * constant((2, 2 * math.pi), draws.uniforms.device)
    uniforms = uniforms + constant((0, -math.pi), uniforms.device)
    normals = draws.normals[:, 4:] * constant((0.2, 0.5, 1.0), uniforms.device)
    values = torch.cat([uniforms[:, :1].floor(), uniforms[:, 1:], normals], dim=1)
    values = values * _open(draws, _UNIFORM_OPS[6:] + _NORMAL_OPS[4:], probability)
    flip, hue, brightness, contrast, saturation = values.unbind(1)

    along = contrast.exp2() * (1 - 2 * flip)
    across = (contrast + saturation).exp2()
    parts = torch.stack([along, across * hue.cos(), across * hue.sin()], dim=1)
    linear = (parts @ constant(_LUMA + _CHROMA + _QUARTER_TURN, parts.device).reshape(3, 9)).reshape(-1, 3, 3)
    offset = (along * brightness)[:, None, None].expand(-1, 3, 1)
    return torch.cat([linear, offset], dim=2)


_LUMA = (1 / 3,) * 9
_CHROMA = tuple(float(place % 4 == 0) - 1 / 3 for place in range(9))
_QUARTER_TURN = tuple(sign / math.sqrt(3) for sign in (0, -1, 1, 1, 0, -1, -1, 1, 0))
"""Three 3×3 matrices: the projection onto (1, 1, 1), that across it, and that across it turned by 90°."""


def _open(draws: Draws, ops: tuple[Op, ...], probability: Tensor) -> Tensor:
    """Return which gates are open: [N, len(ops)]. A closed gate makes its value 0, which leaves images alone."""
    rotations = constant(tuple(op in (Op.ROTATION_BEFORE, Op.ROTATION_AFTER) for op in ops), probability.device)
    thresholds = torch.where(rotations > 0, 1 - (1 - probability).clamp(min=0).sqrt(), probability)
    return draws.gates[:, constant(ops, probability.device).long()] < thresholds


@functools.cache
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return numbers on a device, float64. They are copied there once, since a copy from the CPU makes a GPU wait."""
    return torch.tensor(values, dtype=torch.float64, device=device)
