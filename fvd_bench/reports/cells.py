"""Cells of grids: scores, intervals and counts as the reports for people write them."""

from __future__ import annotations

from collections.abc import Mapping

from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.score import Score
from fvd_bench.words import listed, number, span


def number_or_blank(value: float | Estimate | None) -> str:
    """Write a score or an estimate for a column of a `Grid`, which leaves out a column of blanks."""
    return "" if value is None else number(value.value if isinstance(value, Estimate) else value)


def span_or_blank(interval: tuple[float, float] | None) -> str:
    """Write an interval for a column of a `Grid`, which leaves out a column of blanks."""
    return "" if interval is None else span(interval)


def over_splits(score: Score) -> str:
    """Write how far the splits lie apart whose mean a score is, as `± 0.73 over 10 splits`; nothing for others."""
    return f"± {number(score.splits.std)} over {score.splits.count} splits" if score.splits else ""


def most_frequent(counts: Mapping[str, int], most: int) -> str:
    """Write the first values of counts in descending order, each with its count, and count the values that follow."""
    return listed((f"{value} ({count})" for value, count in counts.items()), most)


def clips_or_blank(score: Score) -> str:
    """Write how many clips of the real and of the fake side a score is made of, nothing where there is no score."""
    if score.value is None:
        return ""
    return f"{score.real.counted(unknown='?')} + {score.fake.counted(unknown='?')}"
