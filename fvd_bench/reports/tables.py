"""Words and numbers that the reports for people share, and a result as a data frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.words import number, span

UNKNOWN = {"interval": "interval", "floor": "floor", "infinite": "value at infinity"}
"""What may be unknown about a score, in words."""


def score_frame(result: Result) -> pandas.DataFrame:
    """Return one row per score, with what is known about its uncertainty and how it was made."""
    return result.to_frame()


def number_or_blank(value: float | Estimate | None) -> str:
    """Write a score or an estimate for a column of a `Grid`, which leaves out a column of blanks."""
    return "" if value is None else number(value.value if isinstance(value, Estimate) else value)


def span_or_blank(interval: tuple[float, float] | None) -> str:
    """Write an interval for a column of a `Grid`, which leaves out a column of blanks."""
    return "" if interval is None else span(interval)


def most_frequent(counts: Mapping[str, int], most: int) -> str:
    """Write the first values of counts in descending order, each with its count, and count the values that follow."""
    shown = [f"{value} ({count})" for value, count in list(counts.items())[:most]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def clips_or_blank(score: Score) -> str:
    """Write how many clips of the real and of the fake side a score is made of, nothing where there is no score."""
    if score.value is None:
        return ""
    return f"{score.real.counted(unknown='?')} + {score.fake.counted(unknown='?')}"
