"""Attention against its definition: softmax(Q Kᵀ / √d) V, head by head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stylegan_v.networks.attention import SelfAttention


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_as_defined(causal: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        attend, x = SelfAttention(6, 2, causal=causal).eval(), torch.randn(2, 5, 4, 6)
    queries, keys, values = np.split(attend.inputs(x).detach().double().numpy(), 3, axis=-1)

    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        scores = queries[..., head] @ keys[..., head].swapaxes(-1, -2) / np.sqrt(3)
        weights = np.exp(scores) * (np.tri(4) if causal else 1)
        heads.append(weights / weights.sum(-1, keepdims=True) @ values[..., head])
    expected = attend.output(torch.tensor(np.concatenate(heads, axis=-1)).float())

    assert torch.allclose(attend(x), expected, atol=1e-6)


def test_the_scale_of_outputs_falls_with_depth() -> None:
    deep, flat = (SelfAttention(64, 1, depth=depth) for depth in (16, 1))

    for layer, expected in ((deep.output, 1 / 32), (flat.output, 1 / 8), (deep.inputs, 1 / 8)):
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)


def test_parts_are_dropped_in_training_alone() -> None:
    attend, x = SelfAttention(6, 2, dropout=0.5), torch.randn(3, 4, 6)

    assert not torch.equal(attend.train()(x), attend(x))
    assert torch.equal(attend.eval()(x), attend(x))
