"""The way from one protocol to another, for people."""

from __future__ import annotations

from rich.console import Group

from fvd_bench.evaluation.studies.explain import Step, Waterfall
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.reports.scores import beware, signatures
from fvd_bench.words import number, signed, span

ORDER_MATTERS = (
    "The changes add up to the whole difference. How it is shared out depends on the order of the steps: in another "
    "order the same field may weigh more or less."
)

_BAR = 8
"""Number of characters of the longest bar."""


def waterfall_report(waterfall: Waterfall) -> Report:
    """Report the steps from one protocol to the other, and how much each moves the score."""
    grid = _grid(waterfall)
    found = [Prose(text, label=f"{name}  ") for name, text in beware(waterfall.result.warnings)]
    return Report(
        text=Group(grid, Prose(ORDER_MATTERS), *found),
        grid=grid,
        records=[
            {"step": place, "field": change.name, "from": change.texts[0], "to": change.texts[1]}
            | {"change": step.change, "value": step.score.value, "digest": step.score.digest}
            for place, step in enumerate(waterfall.steps, start=1)
            for change in step.changes
        ],
        to_json=waterfall.to_json,
        scores=[waterfall.start.value, *(step.score.value for step in waterfall.steps)],
        signatures=signatures([waterfall.start, waterfall.end]),
    )


def _grid(waterfall: Waterfall) -> Grid:
    longest = max((abs(step.change) for step in waterfall.steps), default=0.0)
    columns = [
        Column(waterfall.start.metric.upper(), is_number=True, style="bold"),
        Column("95 % interval", is_number=True),
        Column("change", is_number=True),
        Column(""),
        Column("field: from → to", is_prose=True),
    ]
    start, end = waterfall.start, waterfall.end
    assert start.value is not None and end.value is not None
    rows = [[number(start.value), span(start.interval), "", "", start.protocol]]
    for step in waterfall.steps:
        bar = _bar(step.change, longest)
        rows.append([number(step.score.value), span(step.score.interval), signed(step.change), bar, _fields(step)])
    rows.append([number(end.value), span(end.interval), signed(end.value - start.value), "", end.protocol])
    return Grid(columns, rows)


def _fields(step: Step) -> str:
    return ", ".join("{}: {} → {}".format(change.name, *change.texts) for change in step.changes)


def _bar(change: float, longest: float) -> str:
    return ("+" if change > 0 else "-") * round(_BAR * abs(change) / longest) if longest else ""
