"""Augmentation that does not adapt: what is drawn, and what is done to a clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stylegan_v.baselines.diff_augment import DiffAugmentations, draw
from stylegan_v.networks.noise import Purpose
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

SIZE = 16


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(2, 2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def augmentations(brightness: float, saturation: float, contrast: float, shift: tuple[int, int]) -> DiffAugmentations:
    values = (torch.full((2,), value) for value in (brightness, saturation, contrast))
    return DiffAugmentations(*values, torch.tensor([shift, (0, 0)]))


def test_colours_and_places_are_those_of_the_paper(frames: torch.Tensor) -> None:
    """In numpy, clip by clip: brightness, saturation around the grey, contrast around the mean, a shift with zeros."""
    x = frames[0].numpy() + 0.25
    grey = x.mean(axis=1, keepdims=True)
    x = (x - grey) * 1.75 + grey
    x = (x - x.mean()) * 0.5 + x.mean()
    moved = np.zeros_like(x)
    moved[:, :, :-2, 1:] = x[:, :, 2:, :-1]

    found = augmentations(0.25, 1.75, 0.5, (-2, 1))(frames)

    np.testing.assert_allclose(found[0], moved, atol=1e-12)
    assert found.shape == frames.shape and found.dtype == frames.dtype


def test_what_changes_nothing_changes_no_bit(frames: torch.Tensor) -> None:
    assert torch.equal(augmentations(0.0, 1.0, 1.0, (0, 0))(frames), frames)


def test_both_frames_are_augmented_alike(frames: torch.Tensor) -> None:
    """Pixels that are equal in two frames stay so, even where others are not."""
    frames = frames.clone()
    frames[:, 1, :, :8] = frames[:, 0, :, :8]

    found = draw(1, torch.full((2,), int(Purpose.AUGMENT_REAL)), torch.tensor([3, 4]), resolution=SIZE)(frames)

    assert torch.equal(found[:, 0, :, :6], found[:, 1, :, :6])
    assert not torch.equal(found[:, 0], found[:, 1]) and not torch.allclose(found, frames)


def test_draws_are_uniform_and_depend_on_their_number_alone() -> None:
    numbers = torch.arange(3000)
    purpose = torch.full_like(numbers, Purpose.AUGMENT_FAKE)
    drawn = draw(7, purpose, numbers, resolution=SIZE)

    for values, low, width in (
        (drawn.brightness, -0.5, 1.0), (drawn.saturation, 0.0, 2.0), (drawn.contrast, 0.5, 1.0),
    ):  # fmt: skip
        assert stats.kstest(values.numpy(), "uniform", args=(low, width)).pvalue > 1e-3
    for column in drawn.shift.T:
        assert stats.chisquare(torch.bincount(column + 2, minlength=5).numpy()).pvalue > 1e-3
    alone = draw(7, purpose[5:6], numbers[5:6], resolution=SIZE)
    assert alone.brightness == drawn.brightness[5] and torch.equal(alone.shift[0], drawn[5:6].shift[0])
    other = draw(7, torch.full_like(numbers, Purpose.AUGMENT_REAL), numbers, resolution=SIZE)
    assert not torch.equal(other.brightness, drawn.brightness)


def test_gradients_are_those_of_a_linear_map(frames: torch.Tensor) -> None:
    """R1 takes gradients by frames before augmentation, and differentiates them again."""
    chosen = augmentations(0.1, 0.5, 1.5, (2, -1))
    x = frames.clone().requires_grad_()
    weights = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x).requires_grad_()

    (gradient,) = torch.autograd.grad((chosen(x) * weights).sum(), x, create_graph=True)
    gradient.square().sum().backward()

    change = torch.cos(torch.arange(x.numel(), dtype=x.dtype)).view_as(x)
    ahead = ((chosen(frames + change) - chosen(frames)) * weights).sum()
    torch.testing.assert_close((gradient * change).sum(), ahead)
    assert weights.grad is not None and weights.grad.abs().sum() > 0
