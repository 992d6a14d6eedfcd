"""Convolutions against PyTorch's, and their derivatives against finite differences and PyTorch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.convolution import convolve, convolve_transposed

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 0), (2, 1)])
def test_convolution_and_its_derivatives(stride: int, padding: int) -> None:
    x, weight, bias = (draw(2, 2, 5, 6), draw(3, 2, 3, 3, seed=1), draw(3, seed=2))

    def function(*args: Tensor) -> Tensor:
        return convolve(*args, stride=stride, padding=padding)

    torch.testing.assert_close(function(x, weight, bias), functional.conv2d(x, weight, bias, stride, padding))
    arguments = tuple(tensor.requires_grad_() for tensor in (x, weight, bias))
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_transpose_and_its_derivatives(stride: int) -> None:
    x, weight = draw(2, 3, 4, 5), draw(3, 2, 3, 3, seed=1)

    def function(*args: Tensor) -> Tensor:
        return convolve_transposed(*args, stride=stride)

    torch.testing.assert_close(function(x, weight), functional.conv_transpose2d(x, weight, stride=stride))
    arguments = (x.requires_grad_(), weight.requires_grad_())
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


def test_a_gradient_of_a_gradient_needs_no_kernels_as_large_as_images() -> None:
    x, weight = torch.randn(2, 4, 32, 32, requires_grad=True), torch.randn(4, 4, 3, 3, requires_grad=True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profiled:
        (gradient,) = torch.autograd.grad(convolve(x, weight, padding=1).square().sum(), x, create_graph=True)
        gradient.square().sum().backward()

    kernels = {tuple(event.input_shapes[1]) for event in profiled.events() if event.name == "aten::convolution"}
    assert kernels == {(4, 4, 3, 3)}
