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
    deep, flat = (SelfAttention(64, 1, depth=depth).output.weight.std().item() for depth in (16, 1))

    assert (deep, flat) == (pytest.approx(1 / 32, rel=0.05), pytest.approx(1 / 8, rel=0.05))
