"""Convolutions in three dimensions, whose digits neither threads nor the other clips of a batch change."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fvd_bench.networks.winograd import Winograd

Folded = tuple[Tensor, Tensor]
"""Kernel (Cout, Cin, kT, kH, kW) and bias (Cout,) of one convolution, with its batch norm folded in."""

_SMALL = 20_480  # up to this channels x time x height, torch takes another algorithm for a single clip
_NO_PADS = ((0, 0),) * 3


class Convolution(nn.Module):
    """A 3x3x3 convolution with bias and stride 1."""

    kernel: Tensor
    bias: Tensor

    def __init__(self, folded: Folded) -> None:
        super().__init__()
        kernel, bias = folded
        self.register_buffer("kernel", kernel.contiguous(memory_format=torch.channels_last_3d))
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B,Cin,T,H,W] to [B,Cout,T,H,W]."""
        if len(x) == 1 and x.is_cpu and math.prod(x.shape[1:4]) <= _SMALL:
            # For a small clip alone, torch takes a slower algorithm with other last bits, so the clip is doubled.
            return F.conv3d(x.expand(2, *x.shape[1:]), self.kernel, self.bias, padding=1)[:1]
        return F.conv3d(x, self.kernel, self.bias, padding=1)


class TiledConvolution(Convolution):
    """A 3x3x3 convolution with bias and stride 1, on a processor by Winograd's algorithm.

    It is faster than the direct one for many channels, on frames of more than two tiles a side. The kernel is taken as
    it is at the first call.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [B,Cin,T,H,W] to [B,Cout,T,H,W]."""
        if not x.is_cpu:
            return super().forward(x)
        return _by_clips(self._winograd, x, (1, 1, 1), list(x.shape[2:]))

    @functools.cached_property
    def _winograd(self) -> Winograd:
        return Winograd(self.kernel, self.bias)


class StridedConvolution(Convolution):
    """A 7x7x7 convolution with bias and stride 2, on a processor by Winograd's algorithm."""

    def forward(self, x: Tensor, pads: Sequence[tuple[int, int]] = _NO_PADS) -> Tensor:
        """Map [B,Cin,T,H,W] to [B,Cout,T',H',W']. pads: zeros before and after each of the last three axes."""
        if not x.is_cpu:
            return self.direct(x, pads)
        sizes = [(size + sum(pair) - 5) // 2 for size, pair in zip(x.shape[2:], pads, strict=True)]
        time, height, width = (before for before, _ in pads)
        return _by_clips(self._winograd, x, (time, height, width), sizes)

    def direct(self, x: Tensor, pads: Sequence[tuple[int, int]] = _NO_PADS) -> Tensor:
        """Do what `forward` does by direct sums, as other devices do."""
        x = F.pad(x, [zeros for pair in reversed(pads) for zeros in pair])
        return F.conv3d(x, self.kernel, self.bias, stride=2)

    @functools.cached_property
    def _winograd(self) -> Winograd:
        return Winograd(self.kernel, self.bias, stride=2)


def _by_clips(winograd: Winograd, x: Tensor, before: tuple[int, int, int], sizes: list[int]) -> Tensor:
    """Map [B,Cin,T,H,W] to [B,Cout,*sizes], one clip after the other."""
    out = x.new_empty(len(x), *sizes, winograd.channels)
    for clip, written in zip(x, out, strict=True):
        winograd(clip.movedim(0, -1), written, before)
    return out.movedim(-1, 1)
