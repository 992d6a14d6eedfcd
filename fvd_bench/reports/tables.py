"""Results as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

from fvd_bench.evaluation.result import Result, Score

UNKNOWN = {"interval": "interval", "floor": "floor", "infinite": "value at infinity"}
"""What may be unknown about a score, in words."""


def is_scale(score: Score) -> bool:
    """Return whether a score compares the real videos with themselves after their motion was broken."""
    return score.row is not None and score.row.startswith("scale-")


def score_frame(result: Result) -> pandas.DataFrame:
    """Return one row per score, with what is known about its uncertainty and how it was made."""
    return result.to_frame()


def number(value: float | None) -> str:
    """Write a score for people: two decimals, more where it is small, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"


def span(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{number(interval[0])} to {number(interval[1])}"
