"""The layers of vision transformers, with sums in an order that threads cannot change (see `arithmetic`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fvd_bench.networks.arithmetic import linear


class Linear(nn.Linear):
    """torch's linear layer, for tokens [B, N, K] or vectors [B, K]."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x if x.ndim == 3 else x[:, None]
        return linear(tokens, self.weight, self.bias).reshape(*x.shape[:-1], self.out_features)


class Patches(nn.Module):
    """A convolution whose stride is its kernel, as a product of each patch with the weights."""

    def __init__(self, convolution: nn.Conv2d | nn.Conv3d) -> None:
        """Take the weights of a convolution without padding, dilation and groups."""
        super().__init__()
        assert convolution.stride == convolution.kernel_size, "patches lie side by side"
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, K, t, h, w] for x [B, 3, T, H, W], or [B, K, h, w] for [B, 3, H, W]."""
        sides = self.weight.shape[2:]
        counts = [length // side for length, side in zip(x.shape[2:], sides, strict=True)]
        for axis, (count, side) in enumerate(zip(counts, sides, strict=True)):
            x = x.narrow(2 + axis, 0, count * side)
        x = x.reshape(*x.shape[:2], *(length for pair in zip(counts, sides, strict=True) for length in pair))
        places, inside = range(2, x.ndim, 2), range(3, x.ndim, 2)
        patches = x.permute(0, *places, 1, *inside).reshape(len(x), -1, self.weight[0].numel())
        tokens = linear(patches, self.weight.flatten(1), self.bias)  # [B, t · h · w, K]
        return tokens.transpose(1, 2).reshape(len(x), -1, *counts)


def steady(network: nn.Module) -> nn.Module:
    """Replace the linear layers and the convolutions of patches in a network by those above, and return it."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                child.__class__ = Linear
            elif isinstance(child, nn.Conv2d | nn.Conv3d):
                setattr(parent, name, Patches(child))
    return network


def mean_of_tokens(tokens: Tensor) -> Tensor:
    """Return the mean [B, K] of tokens [B, N, K], in float64 where the device has that."""
    if tokens.device.type == "mps":
        return tokens.mean(dim=1)
    return tokens.mean(dim=1, dtype=torch.float64).to(tokens.dtype)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax(Q Kᵀ / √d) V for [B, heads, N, d]."""
    if query.shape[2] > 1:
        return F.scaled_dot_product_attention(query, key, value)
    # torch divides the keys of a single query among threads.
    weights = torch.softmax(query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5, dim=-1)
    return weights @ value
