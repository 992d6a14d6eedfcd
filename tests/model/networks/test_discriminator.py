"""The discriminator as a whole."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stylegan_v.networks.config import FRAMES_PER_CLIP
from stylegan_v.networks.discriminator import Discriminator, TimeEncoding, build_discriminator
from stylegan_v.networks.loss import r1_penalty

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times_of(videos: int, frames: int) -> Tensor:
    return torch.arange(frames).repeat(videos, 1).cumsum(dim=1).double() + torch.arange(videos)[:, None]


@pytest.fixture(params=["release", "paper"])
def discriminator(request: pytest.FixtureRequest, tiny_config) -> Discriminator:
    return build_discriminator(tiny_config(request.param), seed=2).double()


@pytest.mark.parametrize("frames", [1, *FRAMES_PER_CLIP])
@pytest.mark.parametrize("preset", ["release", "paper"])
def test_one_logit_per_video(tiny_config, preset: str, frames: int) -> None:
    network = build_discriminator(tiny_config(preset, frames=frames), seed=2).double()

    logits = network(draw(4, frames, 3, 32, 32), times_of(4, frames))

    assert logits.shape == (4,)
    assert logits.std() > 1e-4


def test_time_is_seen_in_differences_only(discriminator: Discriminator) -> None:
    frames, times = draw(4, 3, 3, 32, 32), times_of(4, 3)
    stretched = times.clone()
    stretched[0, 2] += 7

    logits = discriminator(frames, times)

    torch.testing.assert_close(discriminator(frames, times + 500.25), logits)
    assert not torch.isclose(discriminator(frames, stretched)[0], logits[0])


def test_the_order_of_frames_matters(discriminator: Discriminator) -> None:
    frames, times = draw(4, 3, 3, 32, 32), times_of(4, 3)

    assert not torch.isclose(discriminator(frames, times), discriminator(frames[:, [1, 0, 2]], times)).any()


def test_hyper_modulation_brings_time_to_every_block(tiny_config) -> None:
    frames, times = draw(4, 3, 3, 32, 32), times_of(4, 3)
    later = times * torch.tensor([1, 1, 2])
    moved = {}
    for preset in ("release", "paper"):
        network, seen = build_discriminator(tiny_config(preset), seed=2).double(), []
        for block in network.blocks.values():
            block.register_forward_hook(lambda module, args, out, seen=seen: seen.append(out))
        network(frames, times)
        network(frames, later)
        half = len(seen) // 2
        moved[preset] = [not torch.allclose(a, b) for a, b in zip(seen[:half], seen[half:], strict=True)]

    assert moved == {"release": [False] * 3, "paper": [True] * 3}


def test_the_paper_embeds_each_distance_by_waves_and_two_layers() -> None:
    """Section 3.2, by hand: positional encoding, a two-layer MLP that all time distances share, concatenation."""
    torch.manual_seed(0)
    encoding = TimeEncoding("paper", 1024, 6).double()
    with torch.no_grad():
        for layer in encoding.mlp:
            layer.bias.copy_(torch.randn(6))
    first, second = encoding.mlp

    found = encoding(torch.tensor([[0.5, 5.5, 37.25]], dtype=torch.float64))

    expected = []
    for distance in (5, 31.75):
        angles = [2.0**q * math.pi * distance / 1024 for q in range(10)]
        x = torch.tensor([*map(math.sin, angles), *map(math.cos, angles)], dtype=torch.float64)
        for layer in (first, second):
            x = layer.weight / math.sqrt(len(x)) @ x + layer.bias
            x = math.sqrt(2) * torch.where(x > 0, x, 0.2 * x)
        expected.append(x)
    torch.testing.assert_close(found, torch.cat(expected)[None], rtol=0, atol=1e-5)  # frequencies are of float32


def test_the_papers_condition_is_mapped_once_for_blocks_and_head(tiny_config) -> None:
    network = build_discriminator(tiny_config("paper"), seed=2).double()
    seen = []
    for module in (network.head, *network.blocks.values()):
        module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[1]))

    network(draw(4, 3, 3, 32, 32), times_of(4, 3))

    p = network.time(times_of(4, 3))
    assert p.shape == (4, 2 * 8)
    assert len(seen) == 4
    for condition in seen:
        torch.testing.assert_close(condition, network.conditioning(p))


def test_the_release_embeds_distances_by_a_row_of_a_table_and_by_waves() -> None:
    encoding = TimeEncoding("release", 1024, 6)
    times = torch.tensor([[0.5, 5.5, 37.5]])

    rows = encoding(times)[0].reshape(2, 26)

    for row, distance in zip(rows, (5, 32), strict=True):
        assert torch.equal(row[:6], encoding.table[distance])
        angles = torch.tensor([2.0**q * torch.pi * distance / 1024 for q in range(10)])
        torch.testing.assert_close(row[6:16], angles.sin(), rtol=0, atol=1e-5)
        torch.testing.assert_close(row[16:], angles.cos(), rtol=0, atol=1e-5)


def test_labels_change_logits(tiny_config) -> None:
    network = build_discriminator(tiny_config(num_classes=2), seed=2).double()
    frames, times = draw(1, 3, 3, 32, 32), times_of(1, 3)

    first, second = (network(frames, times, label[None]) for label in torch.eye(2).double())

    assert not torch.isclose(first, second)


def test_videos_of_other_groups_change_nothing(discriminator: Discriminator) -> None:
    frames, times = draw(8, 3, 3, 32, 32), times_of(8, 3)
    changed = frames.clone()
    changed[1] += 1

    moved = ~torch.isclose(discriminator(frames, times), discriminator(changed, times), rtol=1e-9)

    assert moved.tolist() == [i % 2 == 1 for i in range(8)]  # groups 0, 2, 4, 6 and 1, 3, 5, 7


def test_half_precision_is_close(tiny_config) -> None:
    network = build_discriminator(tiny_config(), seed=2).requires_grad_(False)
    frames, times = draw(4, 3, 3, 32, 32).float(), times_of(4, 3).float()
    full = network(frames, times)
    network.use_half(torch.bfloat16)

    half = network(frames, times)

    types: dict[str, torch.dtype] = {}
    for name, block in network.blocks.items():
        block.register_forward_hook(lambda block, seen, out, name=name: types.update({name: out.dtype}))
    network(frames, times)
    assert types == dict.fromkeys(("32", "16", "8"), torch.bfloat16)  # the released code's rule: 4 blocks, not 4²
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.1, atol=0.05)
    assert not torch.equal(half, full)


@pytest.mark.parametrize("name", ["time", "conditioning.layers.1.weight", "blocks.32.conv0.weight", "head.conv.weight"])
def test_gradients_of_r1_are_those_of_finite_differences(discriminator: Discriminator, name: str) -> None:
    """The second derivative that training uses: of the penalty, by parameters."""
    frames, times = draw(2, 3, 3, 32, 32), times_of(2, 3)
    if name == "time":
        name = "time.table" if discriminator.time.table is not None else "time.mlp.0.weight"

    def penalty(parameter: Tensor) -> Tensor:
        x = frames.clone().requires_grad_()
        return r1_penalty(torch.func.functional_call(discriminator, {name: parameter}, (x, times)), x)

    parameter = discriminator.get_parameter(name)
    (gradient,) = torch.autograd.grad(penalty(parameter), parameter)
    direction = draw(*parameter.shape, seed=3)
    step = 1e-6
    with torch.no_grad():
        ends = [parameter + sign * step * direction for sign in (1, -1)]
    difference = (penalty(ends[0]) - penalty(ends[1])) / (2 * step)

    torch.testing.assert_close((gradient * direction).sum(), difference.detach(), rtol=1e-4, atol=1e-12)
