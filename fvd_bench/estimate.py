"""A number that is estimated from features, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the interval that holds it with a confidence of 95 %."""

    value: float
    interval: tuple[float, float]
