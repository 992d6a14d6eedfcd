"""Images moved by affine maps."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.augment_draws import draw, geometry
from stylegan_v.networks.augment_warp import SYMLET6, warp
from stylegan_v.networks.noise import Purpose
from tests.lazy_module import LazyModule

ndimage, signal = LazyModule("scipy.ndimage"), LazyModule("scipy.signal")

FLIP = [[-1, 0, 0], [0, 1, 0]]
QUARTER_TURN = [[0, 1, 0], [-1, 0, 0]]
HALF_TURN = [[-1, 0, 0], [0, -1, 0]]
OFFSET = 0.5 * 0.0982609  # pixels by which doubling moves an image right and down (see the test of the symlet)


def test_the_filter_is_the_symlet_of_six_moments() -> None:
    taps, places = np.array(SYMLET6), np.arange(12)
    shifted = [taps[: 12 - 2 * shift] @ taps[2 * shift :] for shift in range(6)]
    moments = [((-1.0) ** places * places**power) @ taps for power in range(7)]

    np.testing.assert_allclose(taps.sum(), math.sqrt(2), atol=1e-12)
    np.testing.assert_allclose(shifted, [1, 0, 0, 0, 0, 0], atol=1e-11)
    np.testing.assert_allclose(moments[:6], 0, atol=1e-8)
    assert abs(moments[6]) > 100
    # Of all filters with these properties, the least asymmetric; PyWavelets 1.8 has it as sym6.dec_lo.
    np.testing.assert_allclose(places @ taps / taps.sum(), 5.0982609, atol=1e-6)


@pytest.mark.parametrize(
    "matrix",
    [
        FLIP,
        QUARTER_TURN,
        HALF_TURN,
        [[1, 0, -4], [0, 1, 3]],
        [[0.76, 0, 0], [0, 0.76, 0]],
        [[0.81, 0.59, 0], [-0.59, 0.81, 0]],
        [[0.76, 0, 0], [0, 1.32, 0]],
        [[1, 0, -3.06], [0, 1, 1.32]],
        [[-0.7, -0.5, 2.5], [-0.7, 1.0, 1.5]],
    ],
    ids=str,
)
def test_warping_moves_a_smooth_image_as_its_matrix_says(matrix: list[list[float]]) -> None:
    centres = torch.meshgrid(torch.arange(48.0) - 23.5, torch.arange(32.0) - 15.5, indexing="xy")
    places = torch.stack([*centres, torch.ones(32, 48)]).double()  # [3, H, W]
    moved = torch.tensor([[OFFSET], [OFFSET], [0.0]], dtype=torch.float64)  # what is seen at p is the place p - moved
    sources = (
        torch.einsum("ij,jhw->ihw", torch.tensor(matrix).double(), places + moved[:, :, None]) - moved[:2, :, None]
    )
    inside = (sources[0].abs() < 24 - 4) & (sources[1].abs() < 16 - 4)  # where no reflection is seen

    result = warp(waves(places)[None, None], sources_of(matrix))[0, 0]

    assert inside.sum() > 300
    # Bilinear sampling loses at most (0.35 / 2)² / 8 of a wave of 0.35 per pixel.
    torch.testing.assert_close(result[inside], waves(sources)[inside], atol=6e-3, rtol=0)


def test_a_quarter_turn_of_a_smooth_image_is_rot90() -> None:
    """Turning by π/2 in a frame whose y goes down is clockwise. The symlet's offset shows as a shift of 0.1 pixels."""
    centres = torch.meshgrid(torch.arange(32.0) - 15.5, torch.arange(32.0) - 15.5, indexing="xy")
    image = waves(0.3 * torch.stack([*centres, torch.ones(32, 32)]).double())[None, None]

    result = warp(image, sources_of(QUARTER_TURN))

    expected = torch.rot90(image, -1, dims=(2, 3))
    inner = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(result[inner], expected[inner], atol=0.1 * 0.3 * 0.5, rtol=0)
    assert (result[inner] - image[inner]).abs().max() > 0.5


@pytest.mark.parametrize("matrix", [FLIP, QUARTER_TURN, HALF_TURN], ids=str)
def test_flips_and_turns_leave_an_image_a_tenth_of_a_pixel_aside(matrix: list[list[float]]) -> None:
    """Twice the distance between the middle of an image and what doubling makes of it, as in the released code."""
    place = torch.tensor([4.0, -3.0, 1.0]).double()
    places = torch.stack(
        [*torch.meshgrid(torch.arange(48.0) - 23.5, torch.arange(48.0) - 23.5, indexing="xy")]
    ).double()
    blob = (-(places - place[:2, None, None]).square().sum(dim=0) / 18).exp()
    sources = sources_of(matrix)
    exact = torch.linalg.solve(sources[0, :, :2], place[:2])

    moved = warp(blob[None, None], sources)[0, 0]

    aside = (places * moved).sum(dim=(1, 2)) / moved.sum() - exact
    expected = OFFSET - torch.linalg.solve(sources[0, :, :2], torch.full((2,), OFFSET).double())
    torch.testing.assert_close(aside, -expected, atol=2e-4, rtol=0)
    assert aside.abs().max() == pytest.approx(0.0982609, abs=2e-4)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_warping_is_padding_doubling_sampling_and_halving(probability: float) -> None:
    """The definition, in other words: reflection by a margin, SciPy's filters and its bilinear sampling."""
    draws = draw(3, Purpose.AUGMENT_REAL, torch.arange(12))
    sources = geometry(draws, torch.tensor(probability).double(), height=24, width=32)
    images = torch.randn(12, 1, 24, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    results = warp(images, sources)

    for image, source, result in zip(images.numpy(), sources.numpy(), results.numpy(), strict=True):
        np.testing.assert_allclose(result[0], defined_warp(image[0], source, margin=100), atol=1e-10)


def test_an_integer_shift_is_exact_and_reflects() -> None:
    image = torch.randn(1, 3, 24, 40, dtype=torch.float64)

    result = warp(image, sources_of([[1, 0, -12], [0, 1, 10]]))  # 12 to the right, 10 up

    padded = functional.pad(image, [12, 0, 0, 10], mode="reflect")
    torch.testing.assert_close(result, padded[:, :, 10:, :40], atol=1e-10, rtol=0)


def sources_of(matrix: list[list[float]]) -> Tensor:
    return torch.tensor([matrix], dtype=torch.float64)


def defined_warp(image: NDArray[np.float64], sources: NDArray[np.float64], *, margin: int) -> NDArray[np.float64]:
    """One image [H, W] padded, doubled, sampled and halved. Sample n of a doubled image lies n / 2 pixels in."""
    taps, size = np.array(SYMLET6), np.array(image.shape)
    doubled = np.pad(image, margin, mode="reflect")
    for axis in (0, 1):
        doubled = signal.upfirdn(math.sqrt(2) * taps, doubled, up=2, axis=axis)  # from sample -5 on
    y, x = np.meshgrid(*(np.arange(-5, 2 * length + 5) / 2 - (length - 1) / 2 for length in size), indexing="ij")
    x, y = np.einsum("ij,jhw->ihw", sources, np.stack([x, y, np.ones_like(x)]))
    places = [2 * (place + (length - 1) / 2 + margin) + 5 for place, length in zip((y, x), size, strict=True)]
    result = ndimage.map_coordinates(doubled, places, order=1)
    for axis in (0, 1):
        result = signal.upfirdn(taps[::-1] / math.sqrt(2), result, axis=axis).take(11 + 2 * np.arange(size[axis]), axis)
    return result


def waves(places: Tensor) -> Tensor:
    """A smooth image, different along each axis: [3, H, W] places -> [H, W]."""
    return 0.5 * torch.cos(0.35 * places[0] + 0.4) + 0.5 * torch.sin(0.3 * places[1] - 0.2)
