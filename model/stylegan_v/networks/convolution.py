"""Convolutions whose derivatives of any order are convolutions of the same cost.

When PyTorch differentiates a gradient again, as R1 does, it treats the gradient of the weights as a convolution whose
kernels are as large as the images. In the memory layout `channels_last`, which is the fastest one for everything else,
that takes many times as long as the way used here, that of first derivatives (Karras et al. 2020, "Training GANs with
limited data", do the same on GPUs).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_weight


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Tensor:
    """Correlate images with kernels: [N, in, H, W], [out, in, k, k], [out] -> [N, out, H', W']."""
    convolved: Tensor = _Convolution.apply(x, weight, bias, stride, padding, None)
    return convolved


def convolve_transposed(x: Tensor, weight: Tensor, *, stride: int) -> Tensor:
    """Transpose `convolve` in the images: [N, in, H, W], [in, out, k, k] -> [N, out, stride (H - 1) + k, …]."""
    height, width = (stride * (side - 1) + weight.shape[2] for side in x.shape[2:])
    convolved: Tensor = _Convolution.apply(x, weight, None, stride, 0, (height, width))
    return convolved


def missing_places(size: tuple[int, int], x: Tensor, *, kernel: int, stride: int, padding: int) -> list[int]:
    """Return the `output_padding` with which a transposed convolution of x gives images of a size."""
    return [
        wanted - ((found - 1) * stride - 2 * padding + kernel) for wanted, found in zip(size, x.shape[2:], strict=True)
    ]


class _Convolution(torch.autograd.Function):
    """A convolution; or its transpose in the images, where the size of the resulting images is given.

    Each is the derivative of the other by its images.
    """

    @staticmethod
    def forward(
        ctx: Any,  # Any: autograd's context has no public type
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int,
        padding: int,
        size: tuple[int, int] | None,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.size = stride, padding, size
        if size is None:
            return functional.conv2d(x, weight, bias, stride=stride, padding=padding)
        missing = missing_places(size, x, kernel=weight.shape[2], stride=stride, padding=padding)
        return functional.conv_transpose2d(x, weight, stride=stride, padding=padding, output_padding=missing)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            size = (x.shape[2], x.shape[3]) if ctx.size is None else None
            by_x = _Convolution.apply(gradient, weight, None, ctx.stride, ctx.padding, size)
        if ctx.needs_input_grad[1]:
            images, outputs = (x, gradient) if ctx.size is None else (gradient, x)
            by_weight = _WeightGradient.apply(images, outputs, weight.shape, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[2]:
            by_bias = gradient.sum(dim=(0, 2, 3))
        return by_x, by_weight, by_bias, None, None, None


class _WeightGradient(torch.autograd.Function):
    """The gradient of a convolution by its weight, from its images and the gradient by its outputs. Linear in both."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, outputs: Tensor, shape: torch.Size, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(images, outputs)
        ctx.stride, ctx.padding = stride, padding
        gradient: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            images, shape, outputs, stride=stride, padding=padding
        )
        return gradient

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, outputs = ctx.saved_tensors
        by_images = by_outputs = None
        if ctx.needs_input_grad[0]:
            size = (images.shape[2], images.shape[3])
            by_images = _Convolution.apply(outputs, gradient, None, ctx.stride, ctx.padding, size)
        if ctx.needs_input_grad[1]:
            by_outputs = _Convolution.apply(images, gradient, None, ctx.stride, ctx.padding, None)
        return by_images, by_outputs, None, None, None
