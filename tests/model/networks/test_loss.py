"""Losses in closed form."""

import math

import pytest
import torch
from torch.nn import functional

from stylegan_v.networks.loss import discriminator_loss, generator_loss, r1_penalty, softplus_loss


def test_losses_are_those_of_the_paper() -> None:
    fake, real = torch.tensor([0.5, -2.0]), torch.tensor([1.0, 3.0])

    assert generator_loss(fake).item() == pytest.approx(
        sum(-math.log(1 / (1 + math.exp(-x))) for x in fake.tolist()) / 2
    )
    assert discriminator_loss(real, fake).item() == pytest.approx(
        sum(-math.log(1 / (1 + math.exp(-x))) for x in real.tolist()) / 2
        + sum(-math.log(1 - 1 / (1 + math.exp(-x))) for x in fake.tolist()) / 2
    )


@pytest.mark.parametrize("real", [True, False])
def test_the_loss_is_binary_cross_entropy(real: bool) -> None:
    logits = torch.tensor([[-3.0, 0.0], [0.5, 40.0]])

    expected = functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    assert float(softplus_loss(logits, real=real)) == pytest.approx(float(expected))


def test_losses_of_sure_logits_are_finite() -> None:
    sure = torch.tensor([200.0, -200.0])

    assert generator_loss(sure).item() == pytest.approx(100)
    assert discriminator_loss(sure, sure).item() == pytest.approx(200)


def test_r1_is_summed_over_a_frame_and_averaged_over_frames_and_videos() -> None:
    frames = torch.randn(2, 3, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    slopes = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    logits = (frames * slopes[:, None, None, None]).sum(dim=(1, 2, 3, 4))

    assert r1_penalty(logits, frames).item() == pytest.approx(3 * 4 * 4 * (1 + 4 + 9) / 3)


def test_r1_can_be_differentiated_again() -> None:
    frames = torch.randn(2, 1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    (gradient,) = torch.autograd.grad(r1_penalty((frames * scale).sum(dim=(1, 2, 3, 4)), frames), scale)

    assert gradient.item() == pytest.approx(4 * 2 * 3)  # of 4 scale²
