"""A number that is estimated from features, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

ROUNDING = 1e-9
"""Scores up to this are 0 but for rounding, as are intervals of this width."""

_MOSTLY = 0.5
"""A score is mostly chance where its floor makes up more than this part of it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the interval that holds it with a confidence of 95 %."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Splits:
    """How far splits of the features lie apart, of a score that is the mean of theirs.

    count: how many splits there are. std: the population standard deviation of their scores.
    """

    count: int
    std: float


def ends(name: str, interval: tuple[float, float] | None) -> dict[str, float | None]:
    """Return an interval as two numbers of a flat table, NAME_low and NAME_high; None where it is not known."""
    return dict(zip((f"{name}_low", f"{name}_high"), interval or (None, None), strict=True))


def doubts(value: float, interval: tuple[float, float] | None, floor: Estimate | None) -> list[str]:
    """List the codes of the findings that hold of a score beside chance, the worst first.

    `too-few-to-say`: its interval is wider than the score itself, and than rounding. `at-the-floor`: the score lies
    within the interval of its floor, or below it. `mostly-chance`: the floor is most of the score.
    """
    found = []
    if interval is not None and interval[1] - interval[0] > max(abs(value), ROUNDING) and value != 0:
        found.append("too-few-to-say")
    if floor is not None and value <= floor.interval[1]:
        found.append("at-the-floor")
    elif floor is not None and floor.value > _MOSTLY * value:
        found.append("mostly-chance")
    return found
