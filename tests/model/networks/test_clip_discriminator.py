"""MoCoGAN's discriminator of clips: its sizes, its first parameters, and its noise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stylegan_v.networks.clip_discriminator import (
    ClipDiscriminator,
    InstanceNoise,
    begin_noise,
    clip_frames,
)


@pytest.mark.parametrize(
    ("resolution", "frames", "places"), [(32, 13, 1), (64, 16, 1), (64, 18, 3), (128, 16, 25), (256, 16, 169)]
)
def test_logits_for_each_place(resolution: int, frames: int, places: int) -> None:
    with torch.device("meta"):
        network = ClipDiscriminator(resolution, sigma=0.0)
        logits = network(torch.zeros(2, frames, 3, resolution, resolution))

    assert logits.shape == (2, places)
    assert clip_frames(resolution) <= frames


@pytest.mark.parametrize(("resolution", "plain", "total"), [(64, 0, 11_056_896), (256, 2, 25_214_720)])
def test_parameters_are_as_many_as_in_the_originals(resolution: int, plain: int, total: int) -> None:
    with torch.device("meta"):
        network = ClipDiscriminator(resolution, plain_blocks=plain)

    assert sum(parameter.numel() for parameter in network.parameters()) == total


def test_parameters_begin_as_those_of_dcgan() -> None:
    torch.manual_seed(0)
    for layer in ClipDiscriminator(64, width=32).requires_grad_(False).modules():
        if isinstance(layer, nn.Conv3d):
            assert layer.bias is None
            assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.05)
        if isinstance(layer, nn.BatchNorm3d):
            assert float(layer.weight.mean()) == pytest.approx(1, abs=0.01) and not layer.bias.any()
            assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.3)


def test_noise_comes_before_all_layers_but_the_last_and_begins_anew() -> None:
    network = ClipDiscriminator(32, width=4, plain_blocks=1)
    frames = torch.linspace(-1, 1, 2 * 13 * 3 * 32 * 32).reshape(2, 13, 3, 32, 32)
    found = []
    for key in ((0, 5, 0), (0, 5, 0), (0, 6, 0), (0, 5, 1)):
        begin_noise(network, key)
        found.append(network(frames))

    inner = [InstanceNoise, nn.Conv3d, nn.BatchNorm3d, nn.LeakyReLU]
    assert [type(layer) for layer in network.layers] == inner[:2] + inner[3:] + 3 * inner + [nn.Conv3d]
    assert {layer.negative_slope for layer in network.layers if isinstance(layer, nn.LeakyReLU)} == {0.2}
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2]) and not torch.equal(found[0], found[3])


def test_noise_is_normal() -> None:
    layer = nn.Sequential(InstanceNoise(0.1), nn.Linear(1, 1))
    begin_noise(layer, (1,))

    noise = layer[0](torch.full((200_000,), 3.0)) - 3

    assert float(noise.std()) == pytest.approx(0.1, rel=0.01) and abs(float(noise.mean())) < 0.001
