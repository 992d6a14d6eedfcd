"""The demo's scores for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from fvd_bench.evaluation.demo import Row
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import number, span


def demo_table(rows: Sequence[Row]) -> RenderableType:
    """Show the scores, and how to read them."""
    columns = [
        Column("fake videos"),
        Column("FVD ↓", is_number=True, style="bold"),
        Column("95 % interval", is_number=True),
    ]
    scores = [(row.what, row.result.scores[0]) for row in rows]
    first = scores[0][1]
    return Group(
        Grid(columns, [[what, number(score.value), span(score.interval)] for what, score in scores]),
        Prose(
            "FVD is the distance of the fake videos from the real ones: lower is better. "
            f"The first line is of videos of one kind: two sets of {first.real.clips} do not score 0, because so few "
            "videos say little about their kind. A generator is as good as it comes close to that, at the same number "
            "of videos. Everything that could move these numbers stands in their signature:"
        ),
    )
