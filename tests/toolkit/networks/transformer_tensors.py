"""Seeded tensors of small vision transformers, and a plain forward of theirs: functions of torch and nothing else."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fvd_bench.networks.weights.vision_transformers import Layout, Size

SMALL = Size(width=48, depth=2, heads=4, hidden=96, patch=8, image=32, frames=4)
"""Of clips: 2 · 4 · 4 tokens."""

SMALL_IMAGE = Size(width=48, depth=2, heads=4, hidden=96, patch=8, image=32)

TOLERANCE = 1e-5

Tensors = dict[str, np.ndarray]


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


def seeded(layout: Layout, seed: int = 0) -> Tensors:
    """Tensors of a layout. Weights keep the size of what they multiply, and those of norms are about 1."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in layout.shapes.items():
        is_matrix = len(shape) > 1 and name.endswith("weight")
        spread = float(np.prod(shape[1:])) ** -0.5 if is_matrix else 0.2
        centre = 1.0 if ("norm" in name and name.endswith("weight")) or name.endswith("gamma") else 0.0
        tensors[name] = rng.normal(centre, spread, shape).astype(np.float32)
    return tensors


class Plain:
    """A vision transformer of tensors with the names of timm, in float64."""

    def __init__(self, tensors: Mapping[str, np.ndarray], size: Size) -> None:
        self.tensors = {name: torch.from_numpy(tensor).double() for name, tensor in tensors.items()}
        self.size = size

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, name: str, x: Tensor, epsilon: float) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + epsilon).sqrt()
        return scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[N, K], [M, K], [M, K] -> [N, K], head by head and query by query."""
        depth = self.size.width // self.size.heads
        heads = []
        for head in range(self.size.heads):
            part = slice(head * depth, (head + 1) * depth)
            scores = torch.stack([key[:, part] @ q for q in query[:, part]]) / depth**0.5
            weights = scores.exp() / scores.exp().sum(1, keepdim=True)
            heads.append(weights @ value[:, part])
        return torch.cat(heads, dim=1)

    def patches(self, clip: Tensor) -> Tensor:
        """[3, T, H, W] or [3, H, W] -> tokens, by torch's own convolution."""
        weight = self.tensors["patch_embed.proj.weight"]
        convolve = F.conv3d if weight.ndim == 5 else F.conv2d
        found = convolve(clip.double()[None], weight, self.tensors["patch_embed.proj.bias"], stride=weight.shape[2:])
        return found[0].flatten(1).T

    def block(self, name: str, x: Tensor, epsilon: float) -> Tensor:
        normed = self.norm(f"{name}.norm1", x, epsilon)
        qkv = normed @ self.tensors[f"{name}.attn.qkv.weight"].T + self.qkv_bias(name)
        attended = self.attend(*qkv.split(self.size.width, dim=1))
        x = x + self.linear(f"{name}.attn.proj", attended) * self.tensors.get(f"{name}.ls1.gamma", 1.0)
        inside = F.gelu(self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x, epsilon)))
        return x + self.linear(f"{name}.mlp.fc2", inside) * self.tensors.get(f"{name}.ls2.gamma", 1.0)

    def qkv_bias(self, name: str) -> Tensor:
        if f"{name}.attn.qkv.bias" in self.tensors:
            return self.tensors[f"{name}.attn.qkv.bias"]
        query, value = (self.tensors[f"{name}.attn.{bias}"] for bias in ("q_bias", "v_bias"))
        return torch.cat([query, torch.zeros_like(query), value])

    def blocks(self, x: Tensor, epsilon: float) -> Tensor:
        for i in range(self.size.depth):
            x = self.block(f"blocks.{i}", x, epsilon)
        return x
