"""Audits as tables for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fvd_bench.escapes import cell
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.table4 import PITFALLS, Step, Waterfall, change_percent, verdict
from fvd_bench.reports.tables import number, span

_BAR = 16
"""Number of characters of the longest bar."""


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


def waterfall_table(waterfall: Waterfall) -> RenderableType:
    """Show the steps from one protocol to the other, and how much each moves the score."""
    longest = max((abs(step.change) for step in waterfall.steps), default=0.0)
    table = Table("field", "from → to")
    table.add_column(waterfall.start.metric.upper(), justify="right", style="bold")
    table.add_column("95 % interval", justify="right")
    table.add_column("change", justify="right")
    table.add_column("")
    first = [waterfall.start.protocol, "", number(waterfall.start.value), span(waterfall.start.interval), "", ""]
    table.add_row(*map(cell, first), end_section=True)
    for step in waterfall.steps:
        row = [number(step.score.value), span(step.score.interval), _signed(step.change), _bar(step.change, longest)]
        table.add_row(*_changes(step), *map(cell, row), end_section=step is waterfall.steps[-1])
    assert waterfall.start.value is not None and waterfall.end.value is not None
    whole = waterfall.end.value - waterfall.start.value
    table.add_row(cell(waterfall.end.protocol), "", number(waterfall.end.value), "", _signed(whole), "")
    return Group(
        table,
        Text(
            "The changes add up to the whole difference. How it is shared out depends on the order of the steps: "
            "in another order the same field may weigh more or less."
        ),
    )


def _changes(step: Step) -> tuple[Text, Text]:
    """Return the names of what is changed, and from what to what, one line each."""
    names = [change.name for change in step.changes]
    values = ["{} → {}".format(*change.texts) for change in step.changes]
    return Text("\n").join(map(cell, names)), Text("\n").join(map(cell, values))


def _signed(change: float) -> str:
    return f"{'+' if change >= 0 else '-'}{number(abs(change))}"


def _bar(change: float, longest: float) -> str:
    return ("+" if change > 0 else "-") * round(_BAR * abs(change) / longest) if longest else ""
