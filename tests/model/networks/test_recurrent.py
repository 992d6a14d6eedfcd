"""Recurrent networks step by step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.recurrent import Walk


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_walk_gives_what_the_whole_sequence_gives(kind) -> None:
    torch.manual_seed(0)
    network = kind(5, 6, batch_first=True).requires_grad_(False)
    video = torch.tensor(3)
    steps = torch.arange(130)
    whole, _ = network(normal(0, Purpose.MOTION, video, steps, 5)[None])
    walk = Walk(network, lambda tokens: normal(0, Purpose.MOTION, video, tokens, 5))

    found = {tuple(tokens): walk.at(tokens) for tokens in ([3, 5], [6, 7, 7, 129], [0, 64], [64, 65])}

    for tokens, codes in found.items():
        torch.testing.assert_close(codes, whole[0, list(tokens)], rtol=1e-5, atol=1e-6)
    alone = Walk(network, lambda tokens: normal(0, Purpose.MOTION, video, tokens, 5)).at([129])
    assert torch.equal(alone[0], found[6, 7, 7, 129][3])  # bit for bit, whatever was asked for before


def test_a_walk_begins_with_the_state_that_it_is_given() -> None:
    torch.manual_seed(0)
    network = nn.GRU(2, 3, batch_first=True).requires_grad_(False)
    state = torch.randn(1, 1, 3)
    walk = Walk(network, lambda tokens: torch.zeros(len(tokens), 2), state=state)

    first, again = walk.at([0, 1]), walk.at([0, 1])

    torch.testing.assert_close(first[0], network(torch.zeros(1, 1, 2), state)[0][0, 0])
    assert torch.equal(first, again)
