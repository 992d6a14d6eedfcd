"""Leaky ReLU of slope 0.2, its gain, and a clamp, as one operation that keeps nothing but its result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SLOPE = 0.2


def activate(x: Tensor, *, gain: float, limit: float | None = None) -> Tensor:
    """Return leaky ReLU times a positive gain, within ± limit if there is one. x: of any shape; its layout is kept."""
    activated: Tensor = _Activation.apply(x, gain, limit)
    return activated


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: float, limit: float | None) -> Tensor:  # autograd has no type for ctx
        y = functional.leaky_relu(x, SLOPE).mul_(gain)
        if limit is not None:
            y.clamp_(-limit, limit)
        ctx.save_for_backward(y)
        ctx.gain, ctx.limit = gain, limit
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        return _ActivationGradient.apply(gradient, y.detach(), ctx.gain, ctx.limit), None, None


class _ActivationGradient(torch.autograd.Function):
    """A gradient by y times the slope at y. It is linear in the gradient, and constant in y almost everywhere."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, y: Tensor, gain: float, limit: float | None) -> Tensor:
        ctx.save_for_backward(y)
        ctx.gain, ctx.limit = gain, limit
        scaled: Tensor = torch.ops.aten.leaky_relu_backward(gradient, y, SLOPE, True).mul_(gain)
        if limit is not None:
            scaled.masked_fill_(y.abs() == y.new_full((), limit), 0.0)  # in y's type, to which the clamp rounded it
        return scaled

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (y,) = ctx.saved_tensors
        return _ActivationGradient.apply(gradient, y, ctx.gain, ctx.limit), None, None, None
