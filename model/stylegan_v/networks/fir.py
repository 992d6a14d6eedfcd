"""The filter [1,3,3,1] that StyleGAN2 resamples images with, in both directions: 16 taps over every channel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.networks.convolution import missing_places


class Fir(nn.Module):
    """The outer product of [1,3,3,1] with itself, scaled to the sum `gain`. Its taps are made once, and not saved."""

    taps: Tensor

    def __init__(self, gain: float) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("taps", (taps[:, None] * taps * (gain / 64.0))[None, None], persistent=False)

    def smooth(self, x: Tensor, *, padding: int) -> Tensor:
        """Filter images with `padding` zeros on all sides: [N, C, H, W] -> [N, C, H + 2 padding - 3, …]."""
        return self._filtered(x, 1, padding)

    def downsample(self, x: Tensor) -> Tensor:
        """Halve the size of images: [N, C, H, W] -> [N, C, H/2, W/2]."""
        return self._filtered(x, 2, 1)

    def upsample(self, x: Tensor) -> Tensor:
        """Double the size of images: [N, C, H, W] -> [N, C, 2H, 2W]. A gain of 4 keeps them as bright as before."""
        return self._filtered(x, 2, 1, (2 * x.shape[2], 2 * x.shape[3]))

    def _filtered(self, x: Tensor, stride: int, padding: int, size: tuple[int, int] | None = None) -> Tensor:
        filtered: Tensor = _Filter.apply(x, self.taps.to(x.dtype), stride, padding, size)
        return filtered


class _Filter(torch.autograd.Function):
    """Filters every channel; or, where the size of the result is given, applies the transpose of that.

    Each is the derivative of the other. PyTorch's own second derivative makes a convolution for every single channel.
    """

    @staticmethod
    def forward(
        ctx: Any,  # Any: autograd's context has no public type
        x: Tensor,
        taps: Tensor,
        stride: int,
        padding: int,
        size: tuple[int, int] | None,
    ) -> Tensor:
        ctx.save_for_backward(taps)
        ctx.stride, ctx.padding, ctx.size = stride, padding, None if size is not None else (x.shape[2], x.shape[3])
        channels = x.shape[1]
        kernel = taps.expand(channels, -1, -1, -1)
        if size is None:
            return functional.conv2d(x, kernel, stride=stride, padding=padding, groups=channels)
        missing = missing_places(size, x, kernel=len(taps[0, 0]), stride=stride, padding=padding)
        return functional.conv_transpose2d(
            x, kernel, stride=stride, padding=padding, output_padding=missing, groups=channels
        )

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (taps,) = ctx.saved_tensors
        if ctx.stride == 1:  # the taps are symmetric, so the transpose is a convolution, which runs faster as one
            return _Filter.apply(gradient, taps, 1, len(taps[0, 0]) - 1 - ctx.padding, None), None, None, None, None
        return _Filter.apply(gradient, taps, ctx.stride, ctx.padding, ctx.size), None, None, None, None
