"""Attention among the places of a sequence: of all at once, or of the next one with what is kept of those before."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class KeyValueCache:
    """Keys and values of the places that a causal layer has seen, so that the next place is one step."""

    def __init__(self, places: int) -> None:
        """places: how many there are room for."""
        self._room, self._kept = places, 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep those of the next place, [B, heads, 1, d] each, and return all so far: [B, heads, n, d] each."""
        if self._keys is None or self._values is None:
            shape = (*keys.shape[:2], self._room, keys.shape[3])
            self._keys, self._values = keys.new_empty(shape), values.new_empty(shape)
        self._keys[:, :, self._kept], self._values[:, :, self._kept] = keys[:, :, 0], values[:, :, 0]
        self._kept += 1
        return self._keys[:, :, : self._kept], self._values[:, :, : self._kept]


class SelfAttention(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al. 2017, "Attention is all you need").

    causal: whether a place sees only itself and those before. dropout: of what places see of each other, in training.
    depth: number of layers whose outputs are added up, for the scale of the initial weights.
    """

    def __init__(self, width: int, heads: int, *, causal: bool = False, dropout: float = 0.0, depth: int = 1) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.inputs = nn.Linear(width, 3 * width, bias=False)  # to queries, keys and values
        self.output = nn.Linear(width, width)
        nn.init.normal_(self.inputs.weight, std=width**-0.5)
        nn.init.normal_(self.output.weight, std=(width * depth) ** -0.5)

    def forward(self, x: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Return what the places of x, [..., N, width], take from each other, of the same shape.

        cache: that of the places before. x is then the next one alone, [B, 1, width].
        """
        projected = self.inputs(x.flatten(0, -3)).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = projected.permute(2, 0, 3, 1, 4)  # [B, heads, N, d] each
        if cache is not None:
            keys, values = cache.extend(keys, values)
        seen = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=self.causal and cache is None,
        )
        taken: Tensor = self.output(seen.transpose(1, 2).flatten(2))
        return taken.view(x.shape)
