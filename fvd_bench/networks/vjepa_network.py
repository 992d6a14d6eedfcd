"""V-JEPA ViT-H/16 with the attentive pooler of its probe: from clips to the 1280 numbers that JEDi compares.

The encoder is a plain vision transformer on patches of 2 frames and 16 × 16 pixels, whose places are given by a fixed
table. The pooler is one block of cross-attention, in which a single learned query looks at all tokens. Names are those
of the published files. Sources: Bardes et al. 2024 (arXiv:2404.08471), section 3 and appendix; Luo et al. 2025
(arXiv:2410.05203); oooolga/JEDi, videojedi/V_JEPA.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.networks.normalisation import IMAGENET, Normalisation
from fvd_bench.networks.token_arithmetic import Linear, Patches, attention
from fvd_bench.networks.weights.vision_transformers import Size

_EPSILON, _POOLER_EPSILON = 1e-6, 1e-5
"""Epsilons of the layer norms of the encoder and of the pooler."""

_POOLER_HIDDEN = 4
"""How many times wider than a token the perceptron of the pooler is inside."""


class VJEPA(nn.Module):
    """V-JEPA's encoder and pooler."""

    def __init__(
        self, encoder: Mapping[str, NDArray[np.float32]], probe: Mapping[str, NDArray[np.float32]], size: Size
    ) -> None:
        """Build the network. encoder, probe: see `vision_transformers.vjepa` and `vjepa_probe`."""
        super().__init__()
        self.normalisation = Normalisation(IMAGENET)
        self.encoder = _loaded(_Encoder, size, encoder)
        self.pooler = _loaded(_Pooler, size, probe)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 1280] for x [B, 3, 16, 224, 224] with values of 0 to 1."""
        pooled: Tensor = self.pooler(self.encoder(self.normalisation(x)))
        return pooled


def _loaded(module: type[nn.Module], size: Size, tensors: Mapping[str, NDArray[np.float32]]) -> nn.Module:
    with torch.device("meta"):  # no time is spent on random weights
        network = module(size)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, assign=True)
    return network


class _Encoder(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        tokens = size.grid**2 * (size.frames // size.tubelet)
        kernel = (size.tubelet, size.patch, size.patch)
        self.pos_embed = nn.Parameter(torch.empty(1, tokens, size.width))
        self.patch_embed = nn.ModuleDict({"proj": Patches(nn.Conv3d(3, size.width, kernel, stride=kernel))})
        self.blocks = nn.ModuleList(_Block(size) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens [B, N, K] of clips [B, 3, T, H, W]."""
        tokens = self.patch_embed["proj"](x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        normed: Tensor = self.norm(tokens)
        return normed


class _Block(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, eps=_EPSILON)
        self.attn = _SelfAttention(size)
        self.norm2 = nn.LayerNorm(size.width, eps=_EPSILON)
        self.mlp = _Perceptron(size.width, size.hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _SelfAttention(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = Linear(size.width, 3 * size.width)
        self.proj = Linear(size.width, size.width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (_split(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        joined: Tensor = self.proj(_join(attention(query, key, value)))
        return joined


class _Pooler(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.query_tokens = nn.Parameter(torch.empty(1, 1, size.width))
        self.cross_attention_block = _CrossBlock(size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return [B, K] for tokens [B, N, K]."""
        queries = self.query_tokens.expand(len(tokens), -1, -1)
        pooled: Tensor = self.cross_attention_block(queries, tokens)
        return pooled[:, 0]


class _CrossBlock(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, eps=_POOLER_EPSILON)
        self.xattn = _CrossAttention(size)
        self.norm2 = nn.LayerNorm(size.width, eps=_POOLER_EPSILON)
        self.mlp = _Perceptron(size.width, _POOLER_HIDDEN * size.width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        queries = queries + self.xattn(queries, self.norm1(tokens))  # the queries themselves are not normed
        out: Tensor = queries + self.mlp(self.norm2(queries))
        return out


class _CrossAttention(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.q = Linear(size.width, size.width)
        self.kv = Linear(size.width, 2 * size.width)
        self.proj = Linear(size.width, size.width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        key, value = (_split(part, self.heads) for part in self.kv(tokens).chunk(2, dim=-1))
        joined: Tensor = self.proj(_join(attention(_split(self.q(queries), self.heads), key, value)))
        return joined


class _Perceptron(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, hidden)
        self.fc2 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


def _split(x: Tensor, heads: int) -> Tensor:
    """Return [B, heads, N, d] for x [B, N, heads · d]."""
    batch, tokens, width = x.shape
    return x.view(batch, tokens, heads, width // heads).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    """Return [B, N, heads · d] for x [B, heads, N, d]."""
    return x.transpose(1, 2).flatten(2)
