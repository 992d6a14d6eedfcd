"""Curves of scores: as tables, and drawn as PNG or SVG."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Group, RenderableType

from fvd_bench.estimate import ends
from fvd_bench.evaluation.studies.curves import Curve, Panel, Point
from fvd_bench.reports.cells import number_or_blank, span_or_blank
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import number

FORMS = (".png", ".svg", ".html")
"""Endings of the files that curves can be drawn to: pictures, and a page."""


def draw(panels: Sequence[Panel], form: str) -> bytes:
    """Draw panels below each other, and return the file. form: `.png` or `.svg`."""
    from fvd_bench.reports.charts.curve_charts import picture

    return picture(panels, list(map(title, panels)), form)


def curves_grid(panel: Panel) -> Grid:
    """Show the points of a panel, a row each."""
    columns = [
        Column("curve"),
        Column(panel.along),
        Column(f"{panel.metric.upper()} {'↓' if panel.lower_is_better else '↑'}", is_number=True, style="bold"),
        Column("95 % interval", is_number=True),
        Column("floor", is_number=True),
        Column("clips", is_number=True),
    ]
    return Grid(columns, [_row(curve, point) for curve in panel.curves for point in curve.points])


def curves_report(panels: Sequence[Panel]) -> Report:
    """Report curves: a grid for each panel."""
    parts: list[RenderableType] = []
    for panel in panels:
        parts += [Prose(title(panel), style="bold"), curves_grid(panel)]
    grids = [curves_grid(panel) for panel in panels]
    columns = [Column("curve"), Column("at"), Column("score", is_number=True), *grids[0].columns[3:]]
    rows = [
        [", ".join(filter(None, (title(panel) if len(panels) > 1 else "", row[0]))), *row[1:]]
        for panel, grid in zip(panels, grids, strict=True)
        for row in grid.rows
    ]
    records = [_record(panel, curve, p) for panel in panels for curve in panel.curves for p in curve.points]
    return Report(
        text=Group(*parts),
        grid=Grid(columns, rows),
        records=records,
        to_json=lambda: json.dumps(records, indent=2) + "\n",
    )


def title(panel: Panel) -> str:
    """Return what a panel is about."""
    return f"{panel.metric.upper()}, {panel.protocol}" if panel.protocol else panel.metric.upper()


def _row(curve: Curve, point: Point) -> list[str]:
    floor = number_or_blank(point.floor)
    clips = "" if point.clips is None else str(point.clips)
    return [curve.name, point.name, number(point.value), span_or_blank(point.interval), floor, clips]


def _record(panel: Panel, curve: Curve, point: Point) -> dict[str, object]:
    return {
        "metric": panel.metric,
        "protocol": panel.protocol,
        "curve": curve.name,
        "along": panel.along,
        "at": point.at,
        "name": point.name,
        "value": point.value,
        **ends("interval", point.interval),
        "floor": point.floor.value if point.floor else None,
        "clips": point.clips,
    }
