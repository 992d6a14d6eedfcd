"""V-JEPA and VideoMAE-v2 against a plain forward in float64, on seeded weights."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from fvd_bench.networks.vjepa_network import VJEPA
from fvd_bench.networks.weights import vision_transformers as layouts
from tests.toolkit.networks.transformer_tensors import SMALL, Plain, Tensors, seeded

MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).reshape(3, 1, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).reshape(3, 1, 1, 1)


@pytest.fixture(scope="module")
def encoder() -> Tensors:
    return seeded(layouts.vjepa(SMALL))


@pytest.fixture(scope="module")
def probe() -> Tensors:
    return seeded(layouts.vjepa_probe(SMALL), seed=1)


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return torch.rand(3, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


def pooled(encoder: Tensors, probe: Tensors, clip: torch.Tensor) -> torch.Tensor:
    """V-JEPA's forward written a second time: one clip, one head, one query at a time."""
    plain, pooler = Plain(encoder, SMALL), Plain(probe, SMALL)
    tokens = plain.patches((clip.double() - MEAN) / DEVIATION) + plain.tensors["pos_embed"][0]
    tokens = plain.norm("norm", plain.blocks(tokens, 1e-6), 1e-6)
    block, query = "cross_attention_block", pooler.tensors["query_tokens"][0]
    key, value = pooler.linear(f"{block}.xattn.kv", pooler.norm(f"{block}.norm1", tokens, 1e-5)).chunk(2, dim=1)
    attended = pooler.attend(pooler.linear(f"{block}.xattn.q", query), key, value)
    query = query + pooler.linear(f"{block}.xattn.proj", attended)
    inside = F.gelu(pooler.linear(f"{block}.mlp.fc1", pooler.norm(f"{block}.norm2", query, 1e-5)))
    return (query + pooler.linear(f"{block}.mlp.fc2", inside))[0]


def test_v_jepa_is_the_plain_forward(encoder, probe, clips) -> None:
    with torch.no_grad():
        found = VJEPA(encoder, probe, SMALL)(clips)

    expected = torch.stack([pooled(encoder, probe, clip) for clip in clips])
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_one_and_three_threads_give_the_same_bits(encoder, probe, clips) -> None:
    """A single query is where torch's own attention does not."""
    network, before, outputs = VJEPA(encoder, probe, SMALL), torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with torch.no_grad():
                outputs.append(network(clips))
    finally:
        torch.set_num_threads(before)

    assert torch.equal(*outputs)


def test_tensors_of_another_size_do_not_fit(encoder, probe) -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        VJEPA(encoder, probe, dataclasses.replace(SMALL, hidden=64))
