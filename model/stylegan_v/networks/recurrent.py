"""Recurrent networks over the tokens of a video, from its first one on: in training all at once, in sampling step by
step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_BLOCK = 64
"""Tokens whose noise is drawn at a time."""


class Walk:
    """What a recurrent network says at the tokens of one video, asked for in ascending order or again from the start.

    Each token is a step of its own. So a code does not depend on which others are asked for, and asking for the next
    tokens goes on from the last.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Callable[[Tensor], Tensor],
        *,
        state: Any = None,
    ) -> None:
        """network: an LSTM or a GRU of one layer with the batch first, or what is called as these are: with vectors and
        a state, for outputs and the next state. inputs: of tokens, int64 [N], float32 [N, in].

        state: that before token 0, as the network takes it; None for zeros.
        """
        self._network, self._inputs, self._first = network, inputs, state
        self._next, self._state = 0, state

    def at(self, tokens: Sequence[int]) -> Tensor:
        """Return the outputs at tokens, which ascend: [N, out]."""
        if tokens[0] < self._next:
            self._next, self._state = 0, self._first
        found, wanted = {}, set(tokens)
        device = next(self._network.parameters()).device
        while self._next <= tokens[-1]:
            block = range(self._next, min(self._next + _BLOCK, tokens[-1] + 1))
            for token, vector in zip(block, self._inputs(torch.tensor(block, device=device)), strict=True):
                output, self._state = self._network(vector[None, None], self._state)
                if token in wanted:
                    found[token] = output[0, 0]
            self._next = block.stop
        return torch.stack([found[token] for token in tokens])
