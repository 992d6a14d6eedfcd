"""Table 4 on other videos, as a table for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from fvd_bench.escapes import cell
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.table4 import PITFALLS, change_percent, verdict
from fvd_bench.reports.tables import number, span


def table4_table(result: Result) -> RenderableType:
    """Show the rows of `table4.table4` beside the paper's, with what each does to the score."""
    proper = result.scores[0]
    table = Table()
    table.add_column("row", no_wrap=True)
    table.add_column("what it does")
    table.add_column(proper.metric.upper(), justify="right", style="bold")
    for heading in ("± std", "95 % interval", "change", "Face Forensics", "Sky Timelapse"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for score in result.scores:
        assert score.row is not None
        pitfall, percent = PITFALLS[score.row], change_percent(score, proper)
        is_proper = score is proper
        line = [score.row, pitfall.what, number(score.value), number(score.std), span(score.interval)]
        line.append("–" if is_proper or percent is None else f"{percent:+.1f} %")
        line += [pitfall.face_forensics, pitfall.sky_timelapse]
        if is_proper:
            line.append("what the others are compared with")
        else:
            line.append("no score, see below" if score.value is None else verdict(score, proper))
        table.add_row(*map(cell, line))
    reasons = [f"{score.row}: {score.reason}" for score in result.scores if score.value is None]
    notes = [
        "Each row differs from the first in one field of its protocol. Face Forensics and Sky Timelapse: the paper's "
        "FVD at 256 x 256. Draws of one seed are compared with each other: a change within the 95 % interval of their "
        "differences cannot be told from chance.",
        *reasons,
    ]
    return Group(table, *map(cell, notes))
