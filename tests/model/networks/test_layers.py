"""Layers against their definitions, and their first and second derivatives against finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.networks.layers import (
    Conv2d,
    FullyConnected,
    MinibatchDeviation,
    StyledConv2d,
    ToRGB,
    clamp_activations,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stuffed(x: Tensor) -> Tensor:
    """Zeros between pixels, and after the last one."""
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    out[:, :, ::2, ::2] = x
    return out


def smoothed(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """[1,3,3,1] by [1,3,3,1] over 64."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
    kernel = (taps[:, None] * taps / 64).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(functional.pad(x, padding), kernel, groups=x.shape[1])


def activated(x: Tensor, bias: Tensor) -> Tensor:
    return functional.leaky_relu(x + bias[:, None, None], 0.2) * math.sqrt(2)


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("down", [False, True])
def test_a_convolution_is_filtered_first_where_it_halves(down: bool, gain: float) -> None:
    layer = Conv2d(3, 5, 3, down=down).double()
    nn.init.normal_(layer.bias)
    x, weight = draw(2, 3, 6, 6), layer.weight / math.sqrt(27)

    out = (
        functional.conv2d(smoothed(x, (2, 2, 2, 2)), weight, stride=2)
        if down
        else functional.conv2d(x, weight, padding=1)
    )

    torch.testing.assert_close(layer(x, gain=gain), activated(out, layer.bias) * gain)


def test_a_shortcut_is_filtered_first_and_linear() -> None:
    layer, x = Conv2d(3, 5, 1, bias=False, down=True, activation="linear").double(), draw(2, 3, 6, 6)

    expected = functional.conv2d(smoothed(x, (1, 1, 1, 1)), layer.weight / math.sqrt(3))[:, :, ::2, ::2]

    torch.testing.assert_close(layer(x, gain=0.5), expected * 0.5)


@pytest.mark.parametrize("up", [False, True])
def test_a_styled_convolution_is_one_with_a_weight_per_video(up: bool) -> None:
    layer = StyledConv2d(3, 5, 4, up=up).double()
    nn.init.normal_(layer.bias)
    x, w = draw(6, 3, 4, 4), draw(2, 4, seed=1)
    outs = []
    for video in range(2):
        weight = layer.weight * layer.affine(w)[video][None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        frames = x[3 * video : 3 * video + 3]
        if up:
            out = functional.conv2d(smoothed(stuffed(frames), (3, 2, 3, 2)) * 4, weight.flip(2, 3))
        else:
            out = functional.conv2d(frames, weight, padding=1)
        outs.append(activated(out, layer.bias))

    torch.testing.assert_close(layer(x, w), torch.cat(outs))


def test_colours_are_modulated_and_not_demodulated() -> None:
    layer = ToRGB(3, 4).double()
    x, w = draw(2, 3, 4, 4), draw(2, 4, seed=1)

    scaled = x * (layer.affine(w) / math.sqrt(3))[:, :, None, None]

    torch.testing.assert_close(layer(x, w), functional.conv2d(scaled, layer.weight))


def test_learning_rates_are_equalised() -> None:
    """Parameters have unit variance, outputs too, and a multiplier of the learning rate changes no output."""
    torch.manual_seed(0)
    for multiplier in (1.0, 0.01):
        layer = FullyConnected(400, 300, lr_multiplier=multiplier)
        assert layer.weight.std().item() * multiplier == pytest.approx(1, abs=0.02)
        assert layer(torch.randn(500, 400)).std().item() == pytest.approx(1, abs=0.05)
    conv = Conv2d(30, 40, 3, activation="linear", bias=False)
    assert conv.weight.std().item() == pytest.approx(1, abs=0.02)
    assert conv(torch.randn(4, 30, 16, 16))[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, abs=0.05)


def test_a_slow_layer_learns_a_hundredth_as_fast() -> None:
    fast, slow = FullyConnected(3, 2), FullyConnected(3, 2, lr_multiplier=0.01)
    slow.weight.data = fast.weight.data * 100
    x = torch.randn(4, 3)
    before = fast(x)
    for layer in (fast, slow):
        layer.weight.data += 0.1  # what Adam does, whatever the size of the gradient

    torch.testing.assert_close((fast(x) - before), (slow(x) - before) * 100, rtol=1e-3, atol=1e-5)


def naive_deviation(x: Tensor, group: int) -> list[float]:
    columns = len(x) // group
    values = []
    for i in range(len(x)):
        members = x[i % columns :: columns]
        values.append((members.var(dim=0, correction=0) + 1e-8).sqrt().mean().item())
    return values


@pytest.mark.parametrize(("videos", "group"), [(8, 4), (4, 4), (2, 4), (12, 4), (6, 2)])
def test_minibatch_deviation(videos: int, group: int) -> None:
    x = draw(videos, 3, 4, 4)

    y = MinibatchDeviation(group)(x)

    assert y.shape == (videos, 4, 4, 4)
    assert y[:, 3, 2, 1].tolist() == pytest.approx(naive_deviation(x, min(group, videos)))


def test_every_other_video_of_a_batch_keeps_its_group() -> None:
    x, layer = draw(16, 3, 4, 4), MinibatchDeviation(4)

    parts = [layer(x[start::2]) for start in range(2)]

    torch.testing.assert_close(layer(x)[::2], parts[0])
    torch.testing.assert_close(layer(x)[1::2], parts[1])


@pytest.mark.parametrize(
    "layer",
    [
        FullyConnected(3, 2, activation="lrelu", lr_multiplier=0.01),
        Conv2d(2, 3, 3),
        Conv2d(2, 3, 3, down=True),
        Conv2d(2, 3, 1, bias=False, down=True, activation="linear"),
        MinibatchDeviation(2),
    ],
    ids=lambda layer: f"{type(layer).__name__}",
)
def test_derivatives_of_layers(layer: nn.Module) -> None:
    layer.double()
    x = (draw(4, 3) if isinstance(layer, FullyConnected) else draw(4, 2, 4, 4)).requires_grad_()

    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,), atol=1e-6)


@pytest.mark.parametrize("layer", [StyledConv2d(2, 3, 4), StyledConv2d(2, 3, 4, up=True), ToRGB(2, 4)])
def test_derivatives_of_styled_layers(layer: nn.Module) -> None:
    layer.double()
    x, w = draw(2, 2, 3, 3).requires_grad_(), draw(1, 4, seed=1).requires_grad_()
    weight = layer.weight

    def call(x: Tensor, w: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x, w))

    assert torch.autograd.gradcheck(call, (x, w, weight))
    assert torch.autograd.gradgradcheck(call, (x, w, weight), fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close_and_finite(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    layer = StyledConv2d(16, 16, 8)
    x, w = torch.randn(4, 16, 8, 8), torch.randn(2, 8)

    torch.testing.assert_close(layer(x.to(dtype), w).float(), layer(x, w), rtol=0.05, atol=0.05)
    assert torch.isfinite(layer((x * 1e3).to(dtype), w * 1e3)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_kind_of_layer_has_the_clamp_of_stylegan2_ada(dtype: torch.dtype) -> None:
    """256 times the gain of a residual block, whatever the gain of the activation: 181 at the end of such a block. Its
    shortcut has none."""
    torch.manual_seed(1)
    x, w = (torch.randn(2, 3, 8, 8) * 3000).to(dtype), torch.randn(2, 8)
    styled, styled_up, colours = StyledConv2d(3, 5, 8), StyledConv2d(3, 5, 8, up=True), ToRGB(3, 8)
    plain, down = Conv2d(3, 5, 3), Conv2d(3, 5, 3, down=True)
    shortcut = Conv2d(3, 5, 1, bias=False, down=True, activation="linear")
    half_power = math.sqrt(0.5)

    def extremes(layer: nn.Module, *args: Tensor, **options: float) -> list[float]:
        assert layer(*args, **options).abs().max() > 400
        clamp_activations(layer, True)
        out = layer(*args, **options)
        return [out.max().item(), -out.min().item()]

    for layer in (styled, styled_up):  # demodulated, so only a bias makes them loud
        layer.bias.data = torch.tensor([-3e3, 3e3, -3e3, 3e3, 0.0])
    assert extremes(plain, x) == [256, 256]
    assert extremes(styled, x / 3000, w) == [256, 256]
    assert extremes(styled_up, x / 3000, w) == [256, 256]
    assert extremes(colours, x, w) == [256, 256]
    residual = [torch.tensor(256 * half_power, dtype=dtype).item()] * 2
    assert extremes(down, x, gain=half_power) == residual
    assert min(extremes(shortcut, x, gain=half_power)) > 400


def test_the_filters_second_derivative_is_a_few_convolutions() -> None:
    """PyTorch's own makes one for every channel."""
    layer, x = Conv2d(64, 64, 3, down=True), torch.randn(1, 64, 8, 8, requires_grad=True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        (gradient,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
        gradient.square().sum().backward()

    assert 0 < sum(event.count for event in profiled.key_averages() if event.key == "aten::convolution") < 20
