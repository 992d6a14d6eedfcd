"""The filter [1,3,3,1] against its definition, and its derivatives against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.fir import Fir

pytestmark = pytest.mark.usefixtures("one_thread")


def images(*size: int) -> Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def smoothed(x: Tensor, padding: tuple[int, int, int, int], gain: float) -> Tensor:
    """[1,3,3,1] by [1,3,3,1] over 64, one channel at a time."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
    kernel = (taps[:, None] * taps / 64 * gain)[None, None]
    padded = functional.pad(x, padding)
    return torch.cat([functional.conv2d(padded[:, c : c + 1], kernel) for c in range(x.shape[1])], dim=1)


def stuffed(x: Tensor) -> Tensor:
    """Zeros between pixels, and after the last one."""
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    out[:, :, ::2, ::2] = x
    return out


def test_upsampling_is_stuffing_with_zeros_and_smoothing() -> None:
    x = images(5, 7)

    torch.testing.assert_close(Fir(4.0).upsample(x), smoothed(stuffed(x), (2, 1, 2, 1), 4.0))
    assert Fir(4.0).upsample(torch.ones(1, 1, 8, 8))[0, 0, 3:-3, 3:-3].eq(1).all()


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_downsampling_is_smoothing_and_taking_every_other_place(size: tuple[int, int]) -> None:
    x = images(*size)

    torch.testing.assert_close(Fir(1.0).downsample(x), smoothed(x, (1, 1, 1, 1), 1.0)[:, :, ::2, ::2])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("padding", [1, 2])
def test_smoothing_keeps_the_layout_of_images(padding: int, layout: torch.memory_format) -> None:
    x = images(5, 7)

    y = Fir(4.0).smooth(x.contiguous(memory_format=layout), padding=padding)

    torch.testing.assert_close(y, smoothed(x, (padding,) * 4, 4.0))
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
@pytest.mark.parametrize("name", ["upsample", "downsample", "smooth by 1", "smooth by 2"])
def test_derivatives(name: str, size: tuple[int, int]) -> None:
    fir, x = Fir(2.0), images(*size)[:1, :2].requires_grad_()
    function = {
        "upsample": fir.upsample,
        "downsample": fir.downsample,
        "smooth by 1": lambda x: fir.smooth(x, padding=1),
        "smooth by 2": lambda x: fir.smooth(x, padding=2),
    }[name]

    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)


def test_it_adds_nothing_to_a_checkpoint_and_is_exact_in_half_precision() -> None:
    fir = Fir(4.0)

    assert not fir.state_dict()
    assert torch.equal(fir.taps.half().double(), fir.taps.double())
    assert torch.equal(fir.taps.bfloat16().double(), fir.taps.double())
