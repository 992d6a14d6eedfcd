"""Adaptive augmentation of clips."""

import torch
from torch import Tensor

from stylegan_v.networks.augment import augment, plan, recolour
from stylegan_v.networks.augment_draws import colours, draw
from stylegan_v.networks.noise import Purpose

SAMPLES = torch.tensor([3, 0, 2**33, 12])
ALWAYS = torch.tensor(1.0, dtype=torch.float64)


def test_probability_0_changes_rounding_alone() -> None:
    frames = clips(4)

    torch.testing.assert_close(augmented(frames, 0.0), frames, atol=3e-5, rtol=0)
    torch.testing.assert_close(augmented(frames.double(), 0.0), frames.double(), atol=1e-10, rtol=0)


def test_every_group_of_three_channels_is_recoloured_alike() -> None:
    images, matrix = torch.randn(2, 9, 4, 4), colours(draw(1, Purpose.AUGMENT_REAL, SAMPLES[:2]), ALWAYS)

    result = recolour(images, matrix)

    for sample in range(2):
        linear, offset = matrix[sample, :3, :3].float(), matrix[sample, :3, 3].float()
        for frame in range(0, 9, 3):
            expected = torch.einsum("ij,jhw->ihw", linear, images[sample, frame : frame + 3]) + offset[:, None, None]
            torch.testing.assert_close(result[sample, frame : frame + 3], expected)


def test_equal_frames_stay_equal() -> None:
    still = clips(6)[:, :1].expand(-1, 4, -1, -1, -1)

    result = augmented(still, 1.0, samples=torch.arange(6))

    assert torch.equal(result, result[:, :1].expand_as(result))
    assert not torch.isclose(result[1:], result[:-1]).flatten(1).all(dim=1).any()


def test_any_part_of_a_batch_gives_what_the_whole_gives() -> None:
    """Float64: only rounding may differ, and in float32 that of places, of some 1e-6 pixels, would hide the rest."""
    frames = clips(4).double()

    whole = augmented(frames, 1.0)

    for part in ([0], [3], [2, 1], [3, 2, 1, 0]):
        alone = augmented(frames[part], 1.0, samples=SAMPLES[part])
        torch.testing.assert_close(alone, whole[part], atol=1e-12, rtol=0)


def test_seed_purpose_and_sample_decide() -> None:
    frames = clips(4)
    base = augmented(frames, 1.0)

    for other in (
        augmented(frames, 1.0, seed=2),
        augmented(frames, 1.0, purpose=Purpose.AUGMENT_FAKE),
        augmented(frames, 1.0, samples=SAMPLES + 1),
    ):
        assert not torch.isclose(other, base).flatten(1).all(dim=1).any()


def test_first_and_second_derivatives_pass_the_numerical_check() -> None:
    """The square makes the second derivative something other than 0."""
    frames = clips(2, length=2, size=8).double().requires_grad_()

    def squared(x: Tensor) -> Tensor:
        return augmented(x, 1.0, samples=SAMPLES[:2]).square()

    assert torch.autograd.gradcheck(squared, frames, fast_mode=True)
    assert torch.autograd.gradgradcheck(squared, frames, fast_mode=True)


def test_first_and_second_derivatives_in_closed_form() -> None:
    """Augmentation is A x + b. The fast numerical check can let an error of 10% pass; this one does not."""
    frames = clips(1, length=2, size=8).double().requires_grad_()
    basis = torch.eye(frames.numel(), dtype=torch.float64).reshape(-1, *frames.shape[1:])
    constant = augmented(torch.zeros_like(frames), 1.0, samples=SAMPLES[:1])
    matrix = (augmented(basis, 1.0, samples=SAMPLES[:1].expand(len(basis))) - constant).flatten(1).T

    result = augmented(frames, 1.0, samples=SAMPLES[:1])
    (first,) = torch.autograd.grad(result.square().sum() / 2, frames, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum() / 2, frames)

    torch.testing.assert_close(result.flatten(), matrix @ frames.flatten() + constant.flatten())
    torch.testing.assert_close(first.flatten(), matrix.T @ result.flatten())
    torch.testing.assert_close(second.flatten(), matrix.T @ (matrix @ first.flatten()))


def test_a_penalty_on_gradients_before_augmentation_trains_a_weight() -> None:
    """R1 of D(x) = w · Σ augment(x)² is w² · |∇|²: its derivative by w is twice the penalty at w = 1."""
    frames = clips(2).requires_grad_()
    weight = torch.ones((), requires_grad=True)

    score = weight * augmented(frames, 1.0, samples=SAMPLES[:2]).square().sum()
    (gradient,) = torch.autograd.grad(score, frames, create_graph=True)
    penalty = gradient.square().sum()
    penalty.backward()

    assert weight.grad is not None and frames.grad is not None
    torch.testing.assert_close(weight.grad, 2 * penalty.detach())
    assert frames.grad.abs().sum() > 0


def test_half_precision_is_computed_in_float32() -> None:
    frames = clips(4).half()

    result = augmented(frames, 1.0)

    assert result.dtype == torch.float16
    assert torch.equal(result, augmented(frames.float(), 1.0).half())


def clips(number: int, *, length: int = 3, size: int = 16) -> Tensor:
    """Noise, in which every misplaced pixel shows."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(number, length, 3, size, size, generator=generator) * 2 - 1


def augmented(
    frames: Tensor,
    probability: float,
    *,
    seed: int = 1,
    purpose: Purpose = Purpose.AUGMENT_REAL,
    samples: Tensor = SAMPLES,
) -> Tensor:
    p = torch.tensor(probability, dtype=torch.float64)
    size = frames.shape[3], frames.shape[4]
    return augment(frames, plan(p, seed=seed, purpose=purpose, samples=samples, size=size))
