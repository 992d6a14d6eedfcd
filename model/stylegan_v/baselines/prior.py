"""The transformer of VideoGPT: from codes to the next code, in training at all places at once, in sampling at one.

Source: Yan et al. 2021, "VideoGPT: video generation using VQ-VAE and transformers", and the layers of the authors'
code, wilson1yan/VideoGPT. Attention is full, where their large models have a sparse one, and layer norms are torch's,
whose ε is inside of the root.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stylegan_v.networks.attention import KeyValueCache, SelfAttention


class Block(nn.Module):
    """A layer of the transformer: attention, and two layers at each place, after layer norms, added to x."""

    def __init__(self, width: int, attention: SelfAttention, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), attention
        self.layers_norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), QuickGELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), cache))
        y: Tensor = x + self.dropout(self.layers(self.layers_norm(x)))
        return y


class QuickGELU(nn.Module):
    """x · σ(1.702 x), close to GELU (Hendrycks and Gimpel 2016, section 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Prior(nn.Module):
    """The causal transformer: from the vectors of codes, in the order of time, height and width, to the next code.

    What it sees at a place is the vector before, or a learned one at the first place, and a learned position: three
    vectors side by side, for the place in time, height and width. The last layer begins with zeros, so that all codes
    are as likely at first.
    """

    def __init__(
        self,
        grid: tuple[int, int, int],
        *,
        codes: int,
        code_dim: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        """grid: places in time, height and width. codes, code_dim: how many codes, and the size of their vectors.

        width, layers, heads: width is divisible by 3 and by heads. dropout, attention_dropout: see `VideoGPTConfig`.
        """
        super().__init__()
        self.grid = grid
        self.enter = nn.Linear(code_dim, width, bias=False)
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.positions = nn.ParameterList(0.01 * torch.randn(places, width // 3) for places in self.grid)
        attentions = (
            SelfAttention(width, heads, causal=True, dropout=attention_dropout, depth=layers) for _ in range(layers)
        )
        self.blocks = nn.ModuleList(Block(width, attention, dropout) for attention in attentions)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, codes, bias=False)
        nn.init.normal_(self.enter.weight, std=0.02)
        nn.init.zeros_(self.head.weight)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits of the code at each place given those before, [B, N, codes]. vectors: of codes, [B, N, D]."""
        seen = torch.cat([self.start.expand(len(vectors), 1, -1), self.enter(vectors[:, :-1])], dim=1)
        return self._logits(seen + self.embedded_places(), [None] * len(self.blocks))

    def embedded_places(self) -> Tensor:
        """Return the positions of all places: [N, width]."""
        places = torch.cartesian_prod(*(torch.arange(size, device=self.start.device) for size in self.grid))
        return torch.cat([table[at] for table, at in zip(self.positions, places.unbind(1), strict=True)], dim=1)

    def caches(self) -> list[KeyValueCache]:
        """Return what `next` fills, still empty."""
        return [KeyValueCache(math.prod(self.grid)) for _ in self.blocks]

    def next(self, seen: Tensor, caches: Sequence[KeyValueCache]) -> Tensor:
        """Return logits of the code at the next place, [B, codes].

        seen: the position, and `start` or what `enter` makes of the vector before: [B, width]. caches: of all before.
        """
        return self._logits(seen[:, None], caches)[:, 0]

    def sample(self, codebook: Tensor, numbers: Tensor) -> Tensor:
        """Draw the codes of videos, int64 [B, N]. codebook: [codes, D]. numbers: uniform in (0, 1), float64 [B, N]."""
        caches, before, codes = self.caches(), self.start.expand(len(numbers), -1), []
        for position, chances in zip(self.embedded_places(), numbers.unbind(1), strict=True):
            codes.append(drawn(self.next(before + position, caches), chances))
            before = self.enter(codebook[codes[-1]])
        return torch.stack(codes, dim=1)

    def _logits(self, x: Tensor, caches: Sequence[KeyValueCache | None]) -> Tensor:
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, cache)
        logits: Tensor = self.head(self.norm(x))
        return logits


def drawn(logits: Tensor, numbers: Tensor) -> Tensor:
    """Draw codes from the softmax of logits, [B, codes], with a uniform number for each, float64 [B]: int64 [B]."""
    ends = logits.double().softmax(dim=1).cumsum(dim=1)
    return torch.searchsorted(ends, numbers[:, None] * ends[:, -1:])[:, 0]
