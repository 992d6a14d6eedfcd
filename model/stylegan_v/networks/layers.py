"""Layers of StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN") in plain PyTorch.

Every operation here has a second derivative, as R1 needs. Parameters are stored with unit variance and scaled when they
are used (equalised learning rates). Convolutions are correlations; images are [N, C, H, W].
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.networks.activation import activate
from stylegan_v.networks.convolution import convolve, convolve_transposed
from stylegan_v.networks.fir import Fir

CLAMP = 256.0
"""Networks with blocks of half precision clamp activations to ± CLAMP, and those with a `gain` to CLAMP times it.

The gain of √2 that follows a leaky ReLU does not count.
"""

HALF_BLOCKS = 4
"""So many blocks of the highest resolutions run in half precision, where that is asked for; never the one of 4²."""

_HALF = (torch.float16, torch.bfloat16)


class Clamped(nn.Module):
    """A layer whose activations are clamped where `clamped` is set."""

    clamped = False

    def limit(self, gain: float = 1.0) -> float | None:
        """Return the limit that activations are clamped to, None where they are not."""
        return CLAMP * gain if self.clamped else None

    def clamp(self, x: Tensor) -> Tensor:
        """Clamp activations to ± CLAMP, where `clamped` is set."""
        limit = self.limit()
        return x if limit is None else x.clamp(-limit, limit)


def clamp_activations(network: nn.Module, clamped: bool) -> None:
    """Clamp the activations of all layers of a network, or of none."""
    for layer in network.modules():
        if isinstance(layer, Clamped):
            layer.clamped = clamped


class FullyConnected(nn.Module):
    """A linear layer with an equalised learning rate: [..., in] -> [..., out], in the type of its input.

    lr_multiplier: factor on the learning rate of its parameters. activation: `lrelu` has a gain of √2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: float | None = 0.0,
        lr_multiplier: float = 1.0,
        activation: Literal["linear", "lrelu"] = "linear",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = None if bias is None else nn.Parameter(torch.full((out_features,), bias))
        self.lr_multiplier = lr_multiplier
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype) * (self.lr_multiplier / math.sqrt(self.weight.shape[1]))
        bias = None if self.bias is None else self.bias.to(x.dtype) * self.lr_multiplier
        y = functional.linear(x, weight, bias)
        return activate(y, gain=math.sqrt(2)) if self.activation == "lrelu" else y


class Conv2d(Clamped):
    """A convolution with an equalised learning rate: [N, in, H, W] -> [N, out, H, W], or half the size with `down`.

    activation: `lrelu` has a gain of √2, on top of `gain`. With `down`, [1,3,3,1] filters before the stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        bias: bool = True,
        down: bool = False,
        activation: Literal["linear", "lrelu"] = "lrelu",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.fir = Fir(1.0) if down else None
        self.activation = activation

    def forward(self, x: Tensor, *, gain: float = 1.0) -> Tensor:
        kernel = self.weight.shape[2]
        weight = (self.weight * (1.0 / math.sqrt(self.weight[0].numel()))).to(x.dtype)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if self.fir is None:
            y = convolve(x, weight, bias, padding=kernel // 2)
        elif kernel == 1:  # filters only the places that are kept
            y = convolve(self.fir.downsample(x), weight, bias)
        else:
            y = convolve(self.fir.smooth(x, padding=kernel // 2 + 1), weight, bias, stride=2)
        if self.activation == "lrelu":
            return activate(y, gain=gain * math.sqrt(2), limit=self.limit(gain))
        return y * gain  # of a shortcut, which StyleGAN2-ADA does not clamp


class StyledConv2d(Clamped):
    """A convolution modulated by a style and demodulated: [N, in, H, W] -> [N, out, H, W], or twice the size with `up`.

    One convolution runs for the whole batch: the style scales its input, and the demodulation scales its output. That
    equals one convolution per sample with a weight of its own. Styles are given per video, images per frame.
    With `up`, [1,3,3,1] filters the result of a convolution of stride 1/2, whose kernel is used as it is stored,
    unflipped.
    """

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.affine = FullyConnected(style_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.fir = Fir(4.0) if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Convolve x: [B·T, in, H, W] with styles from w: [B, style_dim]."""
        frames = len(x) // len(w)
        style: Tensor = self.affine(w)  # [B, in]
        weight: Tensor = self.weight  # [out, in, 3, 3]
        if x.dtype in _HALF:  # normalises both first, so that no product overflows
            largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True)
            weight = weight * (1.0 / math.sqrt(weight[0].numel()) / largest)
            style = style / style.abs().amax(dim=1, keepdim=True)
        demodulation = (style.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()  # [B, out]
        weight = weight.to(x.dtype)
        x = x * _per_frame(style, frames, x)
        if self.fir is None:
            y = convolve(x, weight, padding=1)
        else:
            y = self.fir.smooth(convolve_transposed(x, weight.transpose(0, 1), stride=2), padding=1)
        y = torch.addcmul(self.bias.to(y.dtype)[:, None, None], y, _per_frame(demodulation, frames, y))
        return activate(y, gain=math.sqrt(2), limit=self.limit())


class ToRGB(Clamped):
    """A 1×1 convolution to colours, modulated and not demodulated: [B·T, in, H, W] -> [B·T, 3, H, W]."""

    def __init__(self, in_channels: int, style_dim: int) -> None:
        super().__init__()
        self.affine = FullyConnected(style_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Convolve x: [B·T, in, H, W] with styles from w: [B, style_dim]."""
        style = self.affine(w) * (1.0 / math.sqrt(self.weight.shape[1]))
        x = x * _per_frame(style, len(x) // len(w), x)
        return self.clamp(convolve(x, self.weight.to(x.dtype), self.bias.to(x.dtype)))


class MinibatchDeviation(nn.Module):
    """Appends one channel: how much the features of a group's videos differ (Karras et al. 2018, section 3).

    A group takes videos at equal distances: 0, B/G, 2B/G, …. So groups stay together where each of W processes takes
    every W-th video of a batch.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C + 1, H, W]. B is divisible by the group's size, or smaller than it."""
        group = min(self.group, len(x))
        members = x.reshape(group, -1, *x.shape[1:])  # [G, B/G, C, H, W]
        deviation = (members - members.mean(dim=0)).square().mean(dim=0).add(1e-8).sqrt().mean(dim=(1, 2, 3))
        channel = deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return torch.cat([x, channel], dim=1)


def normalise(x: Tensor) -> Tensor:
    """Scale vectors to unit second moment: [..., D] -> [..., D]."""
    return x * (x.square().mean(dim=-1, keepdim=True) + 1e-8).rsqrt()


def _per_frame(scale: Tensor, frames: int, x: Tensor) -> Tensor:
    """Repeat the scales of videos for their frames: [B, C] -> [B·T, C, 1, 1], in the type of x."""
    return scale.to(x.dtype).repeat_interleave(frames, dim=0)[:, :, None, None]
