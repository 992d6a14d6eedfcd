"""The generator of DIGAN: a function of coordinates and time, made of 1×1 convolutions.

It is INR-GAN (Skorokhodov et al. 2021, "Adversarial generation of continuous images") with motion in its phases.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.baselines.digan_config import DIGANConfig
from stylegan_v.networks.activation import activate
from stylegan_v.networks.layers import FullyConnected, ToRGB

SPACE_FREQUENCY = math.sqrt(10)
"""The scale of the frequencies of space, √10: so large is a typical phase at x = 1."""

TIME_FREQUENCY = 0.25
"""σ, that of time. Motion is damped by it, so that neighbouring frames are alike."""


class Coordinates(nn.Module):
    """The input of the generator at each place and time: sines and cosines of θ(x, t).

    θ(x, t) = √10 W(w) x + b(w) + m(w, z_m, t), with x in [-1, 1)² and m = FC2(φ(FC1(ψ(A [w; z_m] t σ)))). ψ is a leaky
    ReLU of slope 0.01 without gain, φ one of 0.2 with a gain of √2. So m is piecewise linear in t, and linear from some
    t on: late frames slide on along a straight line.
    """

    def __init__(self, config: DIGANConfig) -> None:
        super().__init__()
        count = config.frequencies
        self.affine = FullyConnected(config.w_dim, 3 * count)  # W and b
        self.speed = FullyConnected(config.w_dim + config.noise_dim, count)  # A
        self.phases = nn.Sequential(  # FC1, φ, FC2
            FullyConnected(count, count, activation="lrelu"), FullyConnected(count, count)
        )

    def forward(self, w: Tensor, code: Tensor, t: Tensor, size: int) -> Tensor:
        """Return features [B, 2 · frequencies, T · size, size], frames one below the other.

        w: [B, w_dim]; code: z_m, [B, noise_dim]; t: [B, T], 1 for the last frame of a training window.
        """
        places = torch.arange(size, device=w.device, dtype=w.dtype) * (2 / size) - 1
        across, down, offset = self.affine(w).view(len(w), -1, 3)[:, :, :, None, None, None].unbind(2)
        space = SPACE_FREQUENCY * (across * places + down * places[:, None]) + offset  # [B, count, 1, size, size]
        # The motion of late frames is many turns, of which float32 would leave too few digits for the last one.
        moved = self.motion(w, code, t).remainder(2 * math.pi).to(w.dtype)
        angles = (space + moved.transpose(1, 2)[:, :, :, None, None]).flatten(2, 3)
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def motion(self, w: Tensor, code: Tensor, t: Tensor) -> Tensor:
        """Return m, the phase of each frequency: [B, T, frequencies], in the type of t."""
        speed: Tensor = self.speed(torch.cat([w, code], dim=1).to(t.dtype))
        phases: Tensor = self.phases(functional.leaky_relu(speed[:, None] * (t[:, :, None] * TIME_FREQUENCY), 0.01))
        return phases


class FactorisedConv(nn.Module):
    """A 1×1 convolution with factorised modulation (INR-GAN's FMM), leaky ReLU and its gain of √2.

    Its weight is W ⊙ (1 + L(w) R(w) / √rank), with L [out, rank] and R [rank, in]; then each row is divided by its
    length, so that outputs have the size of inputs.
    """

    def __init__(self, in_channels: int, out_channels: int, *, w_dim: int, rank: int) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, rank * (out_channels + in_channels))
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.rank = rank

    def forward(self, x: Tensor, w: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Map images [B, in, H, W] to [B, out, H, W]. w: [B, w_dim].

        coarse: features [B, c, H/2, W/2], of which the first c inputs are the nearest ones at each place. They are
        convolved before they are repeated, which is the same in a fourth of the time.
        """
        weight = self.modulated(w)
        repeated = None
        if coarse is not None:
            of_coarse, weight = torch.split(weight, [coarse.shape[1], x.shape[1]], dim=2)
            repeated = _doubled((of_coarse @ coarse.flatten(2)).view(len(x), -1, *coarse.shape[2:]))
        y = torch.baddbmm(self.bias[:, None], weight, x.flatten(2)).view(len(x), -1, *x.shape[2:])
        return activate(y if repeated is None else y + repeated, gain=math.sqrt(2))

    def modulated(self, w: Tensor) -> Tensor:
        """Return the weight of each video: [B, out, in]."""
        outputs, inputs = self.weight.shape
        left, right = self.affine(w).split([self.rank * outputs, self.rank * inputs], dim=1)
        product = left.view(-1, outputs, self.rank) @ right.view(-1, self.rank, inputs)
        weight = torch.addcmul(self.weight, self.weight, product, value=1 / math.sqrt(self.rank))
        return weight * (weight.square().sum(dim=2, keepdim=True) + 1e-8).rsqrt()


class Block(nn.Module):
    """Convolutions at one resolution, and the block's share of the colours.

    The first block has coordinates alone as its input; those above the grid have them beside features of half the size.
    """

    def __init__(self, config: DIGANConfig, resolution: int) -> None:
        super().__init__()
        self.size = max(resolution, config.grid)
        first = resolution == 4
        self.coordinates = Coordinates(config) if first or resolution > config.grid else None
        width = config.channels(resolution)
        inputs = 0 if first else config.channels(resolution // 2)
        inputs += 0 if self.coordinates is None else 2 * config.frequencies
        number = 1 if first else 3 if resolution >= 128 else 2
        self.convs = nn.ModuleList(
            FactorisedConv(a, b, w_dim=config.w_dim, rank=config.rank)
            for a, b in itertools.pairwise([inputs] + [width] * number)
        )
        self.to_rgb = ToRGB(width, config.w_dim)

    def forward(
        self, x: Tensor | None, rgb: Tensor | None, w: Tensor, code: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return features [B, width, T · size, size], and colours [B, 3, T · size, size].

        x, rgb: those of the block before, None for the first one. The others are as in `Coordinates`.
        """
        first, *others = self.convs
        if self.coordinates is None:
            y: Tensor = first(x, w)
        else:
            y = first(self.coordinates(w, code, t, self.size), w, coarse=x)
        for conv in others:
            y = conv(y, w)
        colours: Tensor = self.to_rgb(y, w)
        if rgb is not None:
            colours = colours + (rgb if self.coordinates is None else _doubled(rgb))
        return y, colours


class Synthesis(nn.Module):
    """From w, z_m and times to frames. The blocks that are below 32² in StyleGAN2 run at 32², from coordinates on."""

    def __init__(self, config: DIGANConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({str(r): Block(config, r) for r in config.image().resolutions})

    def forward(self, w: Tensor, code: Tensor, t: Tensor) -> Tensor:
        """Return frames [B, T, 3, R, R], about -1 to 1, not clipped. The arguments are those of `Coordinates`."""
        x: Tensor | None = None
        rgb: Tensor | None = None
        for block in self.blocks.values():
            x, rgb = block(x, rgb, w, code, t)
        assert rgb is not None
        side = rgb.shape[3]
        return rgb.view(len(w), 3, t.shape[1], side, side).transpose(1, 2)


def _doubled(images: Tensor) -> Tensor:
    """Repeat pixels: [B, C, H, W] -> [B, C, 2H, 2W]."""
    return functional.interpolate(images, scale_factor=2, mode="nearest")
