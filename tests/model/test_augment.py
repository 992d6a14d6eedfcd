"""Adaptive augmentation."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional

from stylegan_v import noise
from stylegan_v.augment import (
    SYMLET6,
    Draws,
    Op,
    augment,
    colour_matrix,
    draw,
    geometry_matrix,
    recolour,
    warp,
)
from stylegan_v.noise import Purpose

MANY = torch.arange(4000)
SAMPLES = torch.tensor([3, 0, 2**33, 12])
HEIGHT, WIDTH = 96, 160  # different, so that a confusion of the axes shows
OFFSET = 0.5 * (5.5 - 5.0982609)  # pixels by which doubling moves an image up and left (see the test of the symlet)


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


def test_probability_0_changes_nothing() -> None:
    frames = clips(4)

    assert augmented(frames, 0.0) is frames
    assert not torch.equal(augmented(frames, 1e-9), frames), "resampled, though no operation is drawn"


def test_resampling_without_an_operation_is_exact_up_to_rounding() -> None:
    frames = clips(4)

    torch.testing.assert_close(augmented(frames, 1e-9), frames, atol=3e-5, rtol=0)
    torch.testing.assert_close(augmented(frames.double(), 1e-9), frames.double(), atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"x_flip": 0.6}, [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"quarter_turns": 0.3}, [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        ({"quarter_turns": 0.6}, [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]),
        ({"integer_shift": (0.8, 0.1)}, [[1, 0, 12], [0, 1, -10], [0, 0, 1]]),  # 0.6 of 20, -0.8 of 12: rounded
        ({"scale": 5.0}, [[2, 0, 0], [0, 2, 0], [0, 0, 1]]),
        ({"rotation_before": 0.75}, [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        ({"stretch": 5.0}, [[2, 0, 0], [0, 0.5, 0], [0, 0, 1]]),
        ({"rotation_after": 0.25}, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
        ({"fractional_shift": (1.1, -0.1)}, [[1, 0, 22], [0, 1, -1.2], [0, 0, 1]]),
        ({"rotation_before": 0.75, "stretch": 5.0}, [[0, -2, 0], [0.5, 0, 0], [0, 0, 1]]),
        ({"rotation_after": 0.75, "stretch": 5.0}, [[0, -0.5, 0], [2, 0, 0], [0, 0, 1]]),
        ({"x_flip": 0.6, "integer_shift": (0.8, 0.5)}, [[-1, 0, 12], [0, 1, 0], [0, 0, 1]]),
        ({"quarter_turns": 0.3, "x_flip": 0.6}, [[0, -1, 0], [-1, 0, 0], [0, 0, 1]]),
        ({"scale": 5.0, "integer_shift": (0.8, 0.1)}, [[2, 0, 24], [0, 2, -20], [0, 0, 1]]),
        ({"scale": 5.0, "fractional_shift": (1.1, -0.1)}, [[2, 0, 22], [0, 2, -1.2], [0, 0, 1]]),
    ],
    ids=str,
)
def test_geometry_in_closed_form(change: dict[str, Any], expected: list[list[float]]) -> None:
    """Single operations, and pairs that give something else in another order."""
    matrix = geometry_matrix(neutral(**change), 1.0, height=HEIGHT, width=WIDTH)

    np.testing.assert_allclose(matrix[0], expected, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"x_flip": 0.6},
        {"quarter_turns": 0.3},
        {"quarter_turns": 0.6},
        {"integer_shift": (0.8, 0.1)},
        {"scale": 2.0},
        {"rotation_before": 0.6},
        {"stretch": 2.0},
        {"fractional_shift": (0.51, -0.33)},
        {"x_flip": 0.6, "rotation_after": 0.6, "stretch": 1.0, "fractional_shift": (0.51, -0.33)},
    ],
    ids=str,
)
def test_warping_moves_a_smooth_image_as_its_matrix_says(change: dict[str, Any]) -> None:
    matrix = geometry_matrix(neutral(**change), 1.0, height=32, width=48)
    centres = torch.meshgrid(torch.arange(48.0) - 23.5, torch.arange(32.0) - 15.5, indexing="xy")
    places = torch.stack([*centres, torch.ones(32, 48)]).double()  # [3, H, W]
    moved = torch.tensor([[1, 0, OFFSET], [0, 1, OFFSET], [0, 0, 1]], dtype=torch.float64)
    sources = torch.einsum("ij,jhw->ihw", moved @ torch.linalg.inv(moved @ matrix[0]), places)
    inside = (sources[0].abs() < 24 - 4) & (sources[1].abs() < 16 - 4)  # where no reflection is seen

    result = warp(waves(places)[None, None], matrix)[0, 0]

    assert inside.sum() > 300
    # Bilinear sampling loses at most (0.35 / 2)² / 8 of a wave of 0.35 per pixel.
    torch.testing.assert_close(result[inside], waves(sources)[inside], atol=6e-3, rtol=0)


def test_a_quarter_turn_of_a_smooth_image_is_rot90() -> None:
    """Turning by π/2 in a frame whose y goes down is clockwise. The symlet's offset shows as a shift of 0.4 pixels."""
    centres = torch.meshgrid(torch.arange(32.0) - 15.5, torch.arange(32.0) - 15.5, indexing="xy")
    image = waves(0.3 * torch.stack([*centres, torch.ones(32, 32)]).double())[None, None]
    matrix = geometry_matrix(neutral(quarter_turns=0.3), 1.0, height=32, width=32)

    result = warp(image, matrix)

    expected = torch.rot90(image, -1, dims=(2, 3))
    inner = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(result[inner], expected[inner], atol=0.4 * 0.3 * 0.5, rtol=0)
    assert (result[inner] - image[inner]).abs().max() > 0.5


def test_an_integer_shift_is_exact_and_reflects() -> None:
    image = torch.randn(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    matrix = geometry_matrix(neutral(integer_shift=(0.8, 0.1)), 1.0, height=HEIGHT, width=WIDTH)

    result = warp(image, matrix)  # 12 to the right, 10 up

    padded = functional.pad(image, [12, 0, 0, 10], mode="reflect")
    torch.testing.assert_close(result, padded[:, :, 10:, :WIDTH], atol=1e-10, rtol=0)


def test_padding_covers_what_is_looked_at_up_to_its_limit() -> None:
    ones = torch.ones(1, 3, 32, 32)
    turned = geometry_matrix(neutral(rotation_before=0.6, fractional_shift=(1.0, 0.0)), 1.0, height=32, width=32)
    shrunk = geometry_matrix(neutral(scale=-10.0), 1.0, height=32, width=32)  # to a quarter: 94 of 128 pixels are there

    torch.testing.assert_close(warp(ones, turned), ones, atol=1e-5, rtol=0)
    result = warp(ones, shrunk)
    torch.testing.assert_close(result[..., 7:-7, 7:-7], ones[..., 7:-7, 7:-7], atol=2e-2, rtol=0)
    assert result[..., :1, :].abs().max() < 2e-2


def test_brightness_and_contrast_in_closed_form() -> None:
    colours = torch.randn(1, 6, 4, 4)

    brighter = recolour(colours, colour_matrix(neutral(brightness=1.5), 1.0))
    stronger = recolour(colours, colour_matrix(neutral(contrast=2.0), 1.0))
    both = recolour(colours, colour_matrix(neutral(brightness=1.5, contrast=2.0), 1.0))

    torch.testing.assert_close(brighter, colours + 0.3)
    torch.testing.assert_close(stronger, colours * 2)
    torch.testing.assert_close(both, (colours + 0.3) * 2)


def test_luma_flip_hue_and_saturation_in_closed_form() -> None:
    grey, other = torch.ones(3, dtype=torch.float64), torch.tensor([2.0, -1.0, -1.0], dtype=torch.float64)
    flip = colour_matrix(neutral(luma_flip=0.6), 1.0)[0, :3, :3]
    hue = colour_matrix(neutral(hue=0.5 + 1 / 3), 1.0)[0, :3, :3]  # a third of a turn
    saturation = colour_matrix(neutral(saturation=2.0), 1.0)[0, :3, :3]

    torch.testing.assert_close(flip @ flip, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(flip @ grey, -grey)
    torch.testing.assert_close(flip @ other, other)
    torch.testing.assert_close(hue @ hue.T, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(hue @ torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([3.0, 1.0, 2.0]).double())
    torch.testing.assert_close(saturation @ grey, grey)
    torch.testing.assert_close(saturation @ other, 4 * other)


def test_colour_operations_are_in_order() -> None:
    """Brightness is flipped with the luma, and neither hue nor saturation touches it."""
    changes = {"brightness": 1.5, "luma_flip": 0.6, "hue": 0.7, "saturation": 2.0}
    matrix = colour_matrix(neutral(**changes), 1.0)[0]

    torch.testing.assert_close(matrix[:3, 3], torch.full((3,), -0.3, dtype=torch.float64))
    torch.testing.assert_close(matrix[3], torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64))


def test_every_group_of_three_channels_is_recoloured_alike() -> None:
    images, matrix = torch.randn(2, 9, 4, 4), colour_matrix(draw(1, Purpose.AUGMENT_REAL, MANY[:2], length=1), 1.0)

    result = recolour(images, matrix)

    for sample in range(2):
        linear, offset = matrix[sample, :3, :3].float(), matrix[sample, :3, 3].float()
        for frame in range(0, 9, 3):
            expected = torch.einsum("ij,jhw->ihw", linear, images[sample, frame : frame + 3]) + offset[:, None, None]
            torch.testing.assert_close(result[sample, frame : frame + 3], expected)


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_gates_are_open_as_often_as_they_should(op: Op) -> None:
    probability = 0.3
    visible = {Op.X_FLIP: 1 / 2, Op.QUARTER_TURNS: 3 / 4, Op.LUMA_FLIP: 1 / 2}.get(op, 1.0)
    # Shifts of less than half a pixel in x and in y are rounded away.
    visible = 1 - (1 / (0.25 * WIDTH)) * (1 / (0.25 * HEIGHT)) if op == Op.INTEGER_SHIFT else visible
    share = 1 - math.sqrt(1 - probability) if op in (Op.ROTATION_BEFORE, Op.ROTATION_AFTER) else probability

    matrices = matrices_of(op, probability)

    changed = (matrices != torch.eye(matrices.shape[1])).flatten(1).any(dim=1).sum().item()
    assert stats.binomtest(int(changed), len(MANY), share * visible).pvalue > 1e-3


@pytest.mark.parametrize(
    ("op", "measure", "distribution"),
    [
        (Op.SCALE, lambda m: m[:, 0, 0].log2() / 0.2, "norm"),
        (Op.ROTATION_BEFORE, lambda m: torch.atan2(m[:, 1, 0], m[:, 0, 0]) / (2 * math.pi) + 0.5, "uniform"),
        (Op.STRETCH, lambda m: m[:, 0, 0].log2() / 0.2, "norm"),
        (Op.ROTATION_AFTER, lambda m: torch.atan2(m[:, 1, 0], m[:, 0, 0]) / (2 * math.pi) + 0.5, "uniform"),
        (Op.FRACTIONAL_SHIFT, lambda m: m[:, 0, 2] / WIDTH / 0.125, "norm"),
        (Op.FRACTIONAL_SHIFT, lambda m: m[:, 1, 2] / HEIGHT / 0.125, "norm"),
        (Op.BRIGHTNESS, lambda m: m[:, 1, 3] / 0.2, "norm"),
        (Op.CONTRAST, lambda m: m[:, 1, 1].log2() / 0.5, "norm"),
        (Op.HUE, lambda m: torch.atan2(m[:, 1, 0] - m[:, 0, 1], hue_cosine(m)) / (2 * math.pi) + 0.5, "uniform"),
        (Op.SATURATION, lambda m: (m[:, 0, 0] - m[:, 0, 1]).log2(), "norm"),
    ],
    ids=lambda value: value.name if isinstance(value, Op) else None,
)
def test_parameters_are_distributed_as_they_should(
    op: Op, measure: Callable[[Tensor], Tensor], distribution: str
) -> None:
    assert stats.kstest(measure(matrices_of(op, 1.0)).numpy(), distribution).pvalue > 1e-3


def test_choices_and_integer_shifts_are_uniform() -> None:
    flips = matrices_of(Op.X_FLIP, 1.0)[:, 0, 0]
    turns = (torch.atan2(*matrices_of(Op.QUARTER_TURNS, 1.0)[:, [1, 0], 0].T) / (math.pi / 2)).round() % 4
    shifts = matrices_of(Op.INTEGER_SHIFT, 1.0)[:, 0, 2]

    assert stats.binomtest(int((flips < 0).sum()), len(MANY), 0.5).pvalue > 1e-3
    assert stats.chisquare(torch.bincount(turns.long(), minlength=4).numpy()).pvalue > 1e-3
    assert torch.equal(shifts, shifts.round())
    assert shifts.abs().max() == 0.125 * WIDTH
    inner = torch.bincount((shifts + 20).long(), minlength=41)[1:-1]  # the outermost two are half as likely
    assert stats.chisquare(inner.numpy()).pvalue > 1e-3


def test_raising_the_probability_only_opens_gates() -> None:
    draws = draw(1, Purpose.AUGMENT_REAL, MANY, length=1)

    for op in Op:
        low, high = (draws.gated(op, draws.scale, probability) for probability in (0.2, 0.6))
        assert torch.equal(low[low != 0], high[low != 0])
        assert (high != 0).sum() > (low != 0).sum()
    assert torch.equal(geometry_matrix(draws, 3.0, height=8, width=8), geometry_matrix(draws, 1.0, height=8, width=8))


def test_a_draw_has_an_address_of_its_own() -> None:
    draws = draw(7, Purpose.AUGMENT_FAKE, SAMPLES, length=3)  # 4 samples of 3 frames

    frame = 2 * 3 + 1  # of sample 2, frame 1: uniform numbers are token 2, normal ones token 3
    uniforms = noise.uniform(7, Purpose.AUGMENT_FAKE, SAMPLES[2], 2, 21)
    normals = noise.normal(7, Purpose.AUGMENT_FAKE, SAMPLES[2], 3, 7)
    assert torch.equal(draws.gates[frame], uniforms[:13])
    assert torch.equal(draws.scale[frame], normals[0].double())
    values = [value.reshape(12, -1) for value in (getattr(draws, f.name) for f in dataclasses.fields(draws))]
    everything = torch.cat(values, dim=1)
    assert sorted(everything[frame].tolist()) == sorted([*uniforms.tolist(), *normals.double().tolist()])


def test_equal_frames_stay_equal_unless_each_has_its_own_draw() -> None:
    still = clips(6)[:, :1].expand(-1, 4, -1, -1, -1)

    together = augmented(still, 1.0, samples=torch.arange(6))
    apart = augmented(still, 1.0, samples=torch.arange(6), consistent=False)

    assert torch.equal(together, together[:, :1].expand_as(together))
    assert not torch.isclose(apart[:, 1:], apart[:, :-1]).flatten(2).all(dim=2).any()
    torch.testing.assert_close(apart[:, 0], together[:, 0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("consistent", [True, False])
def test_any_part_of_a_batch_gives_what_the_whole_gives(consistent: bool) -> None:
    """Float64: only rounding may differ, and in float32 that of places, of some 1e-6 pixels, would hide the rest."""
    frames = clips(4).double()

    whole = augmented(frames, 1.0, consistent=consistent)

    for part in ([0], [3], [2, 1], [3, 2, 1, 0]):
        alone = augmented(frames[part], 1.0, samples=SAMPLES[part], consistent=consistent)
        torch.testing.assert_close(alone, whole[part], atol=1e-12, rtol=0)


def test_seed_purpose_and_sample_decide() -> None:
    frames = clips(4)
    base = augmented(frames, 1.0)

    assert torch.equal(augmented(frames, torch.tensor(1.0)), base)
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
    probability: Tensor | float,
    *,
    seed: int = 1,
    purpose: Purpose = Purpose.AUGMENT_REAL,
    samples: Tensor = SAMPLES,
    consistent: bool = True,
) -> Tensor:
    return augment(frames, probability, seed=seed, purpose=purpose, samples=samples, consistent=consistent)


def neutral(**changes: Any) -> Draws:
    """One draw with open gates that leaves images alone, but for some numbers."""
    values = dict.fromkeys(("x_flip", "quarter_turns", "luma_flip"), 0.1)
    values |= dict.fromkeys(("rotation_before", "rotation_after", "hue"), 0.5)
    values |= dict.fromkeys(("scale", "stretch", "brightness", "contrast", "saturation"), 0.0)
    values |= {"integer_shift": (0.5, 0.5), "fractional_shift": (0.0, 0.0), "gates": [0.0] * 13}
    return Draws(**{name: torch.tensor([value]).double() for name, value in (values | changes).items()})


def matrices_of(op: Op, probability: float) -> Tensor:
    """Of many samples whose gates are closed but for that of one operation."""
    draws = draw(1, Purpose.AUGMENT_REAL, MANY, length=1)
    gates = torch.ones_like(draws.gates)
    gates[:, op] = draws.gates[:, op]
    draws = dataclasses.replace(draws, gates=gates)
    if op >= Op.BRIGHTNESS:
        return colour_matrix(draws, probability)
    return geometry_matrix(draws, probability, height=HEIGHT, width=WIDTH)


def waves(places: Tensor) -> Tensor:
    """A smooth image, different along each axis: [3, H, W] places -> [H, W]."""
    return 0.5 * torch.cos(0.35 * places[0] + 0.4) + 0.5 * torch.sin(0.3 * places[1] - 0.2)


def hue_cosine(matrices: Tensor) -> Tensor:
    """√3 times the cosine of the angle; m[1, 0] - m[0, 1] is 2/√3 times its sine, so both get the factor 2/√3."""
    trace = matrices[:, 0, 0] + matrices[:, 1, 1] + matrices[:, 2, 2]
    return (trace - 1) / math.sqrt(3)
