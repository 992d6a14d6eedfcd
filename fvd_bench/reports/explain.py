"""The way from one protocol to another, as a table for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fvd_bench.escapes import cell
from fvd_bench.evaluation.explain import Step, Waterfall
from fvd_bench.reports.tables import number, span

_BAR = 16
"""Number of characters of the longest bar."""


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
