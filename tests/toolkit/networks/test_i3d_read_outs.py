"""What I3D gives of a clip, against the original head written with torch's own pools and convolution."""

import pytest
import torch
import torch.nn.functional as F

from fvd_bench.errors import FeatureError, ProtocolError
from fvd_bench.networks import create
from fvd_bench.networks.i3d import READ_OUTS
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.protocols.rules import FeatureRule


@pytest.fixture(scope="module")
def networks(i3d_tensors):
    return {name: I3D.from_tensors(i3d_tensors, read_out=name) for name in READ_OUTS}


@pytest.fixture(scope="module")
def small_activation(networks):
    """Before any pool, of a clip of 17 frames of 64 × 96 pixels."""
    clip = torch.rand(1, 3, 17, 64, 96, generator=torch.Generator().manual_seed(7)) * 2 - 1
    return networks["pool"].mixed_5c(clip)


@pytest.fixture(scope="module")
def last_activation(small_activation):
    """One as large as that of a clip of 17 frames of 224 × 224 pixels: [1, 1024, 3, 7, 7]."""
    return F.interpolate(small_activation, size=(3, 7, 7), mode="trilinear")


def original_head(activation, i3d_tensors, steps):
    """The pool over `steps` x 7 x 7 with stride 1, the convolution with bias, and the mean over time."""
    kernel = torch.from_numpy(i3d_tensors["Logits/Conv3d_0c_1x1/kernel"]).double().permute(4, 3, 0, 1, 2)
    bias = torch.from_numpy(i3d_tensors["Logits/Conv3d_0c_1x1/bias"]).double()
    pooled = F.avg_pool3d(activation, (steps, 7, 7), stride=1)
    return F.conv3d(pooled, kernel, bias).squeeze(4).squeeze(3).mean(2)


def test_the_last_activation_has_a_place_for_each_32_pixels_and_8_frames(small_activation):
    assert small_activation.shape == (1, 1024, 3, 2, 3)


@pytest.mark.parametrize(("name", "steps"), [("logits", 2), ("logits-all", 1)])
def test_logits_are_those_of_the_original_head(networks, last_activation, i3d_tensors, name, steps):
    expected = original_head(last_activation.double(), i3d_tensors, steps)

    torch.testing.assert_close(networks[name].head(last_activation).double(), expected, atol=2e-5, rtol=0)


def test_the_two_kinds_of_logits_differ_by_the_weight_of_the_ends(networks, last_activation):
    both = [networks[name].head(last_activation) for name in ("logits", "logits-all")]

    assert (both[0] - both[1]).abs().max() > 0.01


def test_the_pool_is_the_mean_over_places_and_time(networks, last_activation):
    expected = F.adaptive_avg_pool3d(last_activation.double(), 1).flatten(1)

    torch.testing.assert_close(networks["pool"].head(last_activation).double(), expected, atol=2e-6, rtol=0)


def test_the_pool_takes_frames_of_any_size_and_gives_the_same_bits_in_any_company(networks):
    x = torch.rand(2, 3, 9, 60, 108, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    together = networks["pool"](x)
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        rolled = networks["pool"](x.roll(1, dims=0)).roll(-1, dims=0)
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(networks["pool"].head(networks["pool"].mixed_5c(x)), together)
    assert together.shape == (2, 1024)
    assert torch.equal(rolled, together)
    torch.testing.assert_close(networks["pool"](x[:1]), together[:1], atol=1e-6, rtol=0)
    with pytest.raises(FeatureError, match="193 to 224 pixels a side, found 60x108"):
        networks["logits-all"](x)


@pytest.mark.parametrize(("layer", "dim"), READ_OUTS.items())
def test_a_protocol_names_the_read_out(moving_frames, layer, dim):
    rule = FeatureRule(extractor="i3d", layer=layer)
    extractor = create(rule, device="cpu", weights={}, progress=lambda done, total: None)

    assert extractor.dim == dim
    if layer == "pool":
        assert [features.shape for features in extractor([moving_frames(9)])] == [(1, dim)]


def test_other_layers_are_refused_with_those_that_there_are():
    rule = FeatureRule(extractor="i3d", layer="softmax")

    with pytest.raises(ProtocolError, match=r'"logits" or "logits-all" or "pool", not .softmax'):
        create(rule, device="cpu", weights={}, progress=lambda done, total: None)
