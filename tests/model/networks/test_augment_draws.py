"""What is drawn for augmentation, and the maps that it makes."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stylegan_v.networks import noise
from stylegan_v.networks.augment_draws import Draws, Op, colours, draw, geometry
from stylegan_v.networks.noise import Purpose
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

MANY = torch.arange(4000)
SAMPLES = torch.tensor([3, 0, 2**33, 12])
HEIGHT, WIDTH = 96, 160  # different, so that a confusion of the axes shows
ALWAYS = torch.tensor(1.0, dtype=torch.float64)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"x_flip": 0.6}, [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"quarter_turns": 0.3}, [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        ({"quarter_turns": 0.6}, [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]),
        ({"step": (0.8, 0.1)}, [[1, 0, 12], [0, 1, -10], [0, 0, 1]]),  # 0.6 of 20, -0.8 of 12: rounded
        ({"scale": 5.0}, [[2, 0, 0], [0, 2, 0], [0, 0, 1]]),
        ({"before": 0.75}, [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        ({"stretch": 5.0}, [[2, 0, 0], [0, 0.5, 0], [0, 0, 1]]),
        ({"after": 0.25}, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
        ({"shift": (1.1, -0.1)}, [[1, 0, 22], [0, 1, -1.2], [0, 0, 1]]),
        ({"before": 0.75, "stretch": 5.0}, [[0, -2, 0], [0.5, 0, 0], [0, 0, 1]]),
        ({"after": 0.75, "stretch": 5.0}, [[0, -0.5, 0], [2, 0, 0], [0, 0, 1]]),
        ({"x_flip": 0.6, "step": (0.8, 0.5)}, [[-1, 0, 12], [0, 1, 0], [0, 0, 1]]),
        ({"quarter_turns": 0.3, "x_flip": 0.6}, [[0, -1, 0], [-1, 0, 0], [0, 0, 1]]),
        ({"scale": 5.0, "step": (0.8, 0.1)}, [[2, 0, 24], [0, 2, -20], [0, 0, 1]]),
        ({"scale": 5.0, "shift": (1.1, -0.1)}, [[2, 0, 22], [0, 2, -1.2], [0, 0, 1]]),
    ],
    ids=str,
)
def test_geometry_in_closed_form(change: dict[str, Any], expected: list[list[float]]) -> None:
    """Single operations, and pairs that give something else in another order."""
    sources = geometry(neutral(**change), ALWAYS, height=HEIGHT, width=WIDTH)

    np.testing.assert_allclose(sources[0], np.linalg.inv(expected)[:2], atol=1e-12)


def test_brightness_and_contrast_in_closed_form() -> None:
    changes = ({"brightness": 1.5}, {"contrast": 2.0}, {"brightness": 1.5, "contrast": 2.0})
    brighter, stronger, both = (colours(neutral(**change), ALWAYS)[0] for change in changes)

    still, ones = torch.eye(3, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    torch.testing.assert_close(brighter, torch.cat([still, 0.3 * ones], dim=1))
    torch.testing.assert_close(stronger, torch.cat([2 * still, 0 * ones], dim=1))
    torch.testing.assert_close(both, torch.cat([2 * still, 0.6 * ones], dim=1))


def test_luma_flip_hue_and_saturation_in_closed_form() -> None:
    grey, other = torch.ones(3, dtype=torch.float64), torch.tensor([2.0, -1.0, -1.0], dtype=torch.float64)
    flip = colours(neutral(luma_flip=0.6), ALWAYS)[0, :3, :3]
    hue = colours(neutral(hue=0.5 + 1 / 3), ALWAYS)[0, :3, :3]  # a third of a turn
    saturation = colours(neutral(saturation=2.0), ALWAYS)[0, :3, :3]

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
    matrix = colours(neutral(**changes), ALWAYS)[0]

    torch.testing.assert_close(matrix[:3, 3], torch.full((3,), -0.3, dtype=torch.float64))


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_gates_are_open_as_often_as_they_should(op: Op) -> None:
    probability = 0.3
    visible = {Op.X_FLIP: 1 / 2, Op.QUARTER_TURNS: 3 / 4, Op.LUMA_FLIP: 1 / 2}.get(op, 1.0)
    # Shifts of less than half a pixel in x and in y are rounded away.
    visible = 1 - (1 / (0.25 * WIDTH)) * (1 / (0.25 * HEIGHT)) if op == Op.INTEGER_SHIFT else visible
    share = 1 - math.sqrt(1 - probability) if op in (Op.ROTATION_BEFORE, Op.ROTATION_AFTER) else probability

    matrices = matrices_of(op, probability)

    changed = (matrices != torch.eye(*matrices.shape[1:])).flatten(1).any(dim=1).sum().item()
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
    for op in Op:
        low, high, highest, beyond = (matrices_of(op, probability) for probability in (0.2, 0.6, 1.0, 3.0))
        still = torch.eye(*low.shape[1:])
        moved = (low != still).flatten(1).any(dim=1)
        assert torch.equal(low[moved], high[moved])
        assert (high != still).flatten(1).any(dim=1).sum() > moved.sum()
        assert torch.equal(highest, beyond)


def test_a_draw_has_an_address_of_its_own() -> None:
    draws = draw(7, Purpose.AUGMENT_FAKE, SAMPLES)

    uniforms = noise.uniform(7, Purpose.AUGMENT_FAKE, SAMPLES[2], 0, 21)
    normals = noise.normal(7, Purpose.AUGMENT_FAKE, SAMPLES[2], 1, 7)
    assert torch.equal(torch.cat([draws.gates[2], draws.uniforms[2]]), uniforms)
    assert torch.equal(draws.normals[2], normals.double())


def test_purposes_may_differ_between_samples() -> None:
    together = draw(7, torch.tensor([4, 3, 3, 4]), SAMPLES)

    for part, purpose in ((slice(0, 4, 3), Purpose.AUGMENT_FAKE), (slice(1, 3), Purpose.AUGMENT_REAL)):
        alone = draw(7, purpose, SAMPLES[part])
        assert torch.equal(alone.normals, together.normals[part])
        assert torch.equal(alone.gates, together.gates[part])


def neutral(**changes: Any) -> Draws:
    """One draw with open gates that leaves images alone, but for some numbers."""
    uniforms = dict.fromkeys(
        ("x_flip", "quarter_turns", "step_x", "step_y", "before", "after", "luma_flip", "hue"), 0.5
    )
    uniforms |= dict.fromkeys(("x_flip", "quarter_turns", "luma_flip"), 0.1)
    normals = dict.fromkeys(("scale", "stretch", "shift_x", "shift_y", "brightness", "contrast", "saturation"), 0.0)
    for name, value in changes.items():
        values = {f"{name}_x": value[0], f"{name}_y": value[1]} if isinstance(value, tuple) else {name: value}
        for numbers in (uniforms, normals):
            numbers |= {key: v for key, v in values.items() if key in numbers}
        assert values.keys() <= uniforms.keys() | normals.keys()
    rows = ([0.0] * 13, [*uniforms.values()], [*normals.values()])
    gates, uniform, normal = (torch.tensor([row], dtype=torch.float64) for row in rows)
    return Draws(gates=gates, uniforms=uniform, normals=normal)


def matrices_of(op: Op, probability: float) -> Tensor:
    """Of many samples whose gates are closed but for that of one operation: of geometry forwards, or of colours."""
    draws = draw(1, Purpose.AUGMENT_REAL, MANY)
    gates = torch.full_like(draws.gates, math.inf)
    gates[:, op] = draws.gates[:, op]
    draws = dataclasses.replace(draws, gates=gates)
    p = torch.tensor(probability, dtype=torch.float64)
    if op >= Op.BRIGHTNESS:
        return colours(draws, p)
    sources = geometry(draws, p, height=HEIGHT, width=WIDTH)
    last = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(MANY), 1, -1)
    return torch.linalg.inv(torch.cat([sources, last], dim=1))


def hue_cosine(matrices: Tensor) -> Tensor:
    """√3 times the cosine of the angle; m[1, 0] - m[0, 1] is 2/√3 times its sine, so both get the factor 2/√3."""
    trace = matrices[:, 0, 0] + matrices[:, 1, 1] + matrices[:, 2, 2]
    return (trace - 1) / math.sqrt(3)
