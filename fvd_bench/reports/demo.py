"""The demo's scores as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fvd_bench.evaluation.demo import Row
from fvd_bench.reports.tables import number, span


def demo_table(rows: Sequence[Row]) -> RenderableType:
    """Show the scores, and how to read them."""
    scores = Table("fake videos")
    scores.add_column("FVD ↓", justify="right", style="bold")
    scores.add_column("95 % interval", justify="right")
    for row in rows:
        score = row.result.scores[0]
        scores.add_row(row.what, number(score.value), span(score.interval))
    first = rows[0].result.scores[0]
    return Group(
        scores,
        Text(
            "FVD is the distance of the fake videos from the real ones: lower is better. "
            f"The first line is of videos of one kind: two sets of {first.real.clips} do not score 0, because so few "
            "videos say little about their kind. A generator is as good as it comes close to that, at the same number "
            "of videos. Everything that could move these numbers stands in their signature:"
        ),
    )
