"""Curves of scores, drawn with the interval and the floor of each: as PNG, as SVG, or as a page; and as a table."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fvd_bench.escapes import escaped, in_html
from fvd_bench.estimate import ends
from fvd_bench.evaluation.curves import Curve, Panel, Point
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.reports.svg import SETTINGS, element
from fvd_bench.reports.tables import number, number_or_blank, span_or_blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = (".png", ".svg", ".html")
"""Endings of the files that curves can be drawn to."""

_COLOURS = ("#1558b0", "#b5480d", "#0b7a55", "#8a3b8f", "#a10f2b", "#4d5a68")
"""Each stands out from white by more than 4 : 1."""

_FLOOR = "#66768a"
_STYLES = ("-", "--", ":")
_NAMES_IN_A_ROW = 60
"""Characters of the names below an axis that stand beside each other; more of them are turned."""


def draw(panels: Sequence[Panel], form: str) -> bytes:
    """Draw panels below each other, and return the file. form: one of FORMS."""
    if form == ".html":
        return page(panels).encode()
    import matplotlib

    with matplotlib.rc_context({**SETTINGS, "font.size": 9.5}), io.BytesIO() as out:
        figure = _figure(panels)
        dateless = {"Date": None} if form == ".svg" else None  # with a date, the bytes would be others each time
        figure.savefig(out, format=form[1:], dpi=160, metadata=dateless)
        return out.getvalue()


def curves_grid(panel: Panel) -> Grid:
    """Show the points of a panel, a row each."""
    columns = [
        Column(""),
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


def page(panels: Sequence[Panel]) -> str:
    """Make a page of the curves and their numbers, which loads nothing from elsewhere."""
    drawn = element(draw(panels, ".svg").decode()).replace(
        "<svg", '<svg role="img" aria-label="the numbers below, drawn"', 1
    )
    tables = "\n".join(f"<h2>{in_html(title(panel))}</h2>\n{_table(curves_grid(panel).used())}" for panel in panels)
    return f"""<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">
<title>fvd-bench: {in_html(", ".join(map(title, panels)))}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }}
figure {{ margin: 0; background: #fff; border-radius: 6px; overflow-x: auto }}
figure svg {{ width: 100%; min-width: 34rem; height: auto; display: block }}
h2 {{ font-size: 1.1rem; margin-top: 2rem }} .scroll {{ overflow-x: auto }}
table {{ border-collapse: collapse }} th, td {{ text-align: left; padding: .3rem .8rem .3rem 0; white-space: nowrap;
  border-bottom: 1px solid #8888 }} .n {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
<figure>{drawn}</figure>
{tables}
</html>
"""


def _figure(panels: Sequence[Panel]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.6 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        _panel(axes, panel)
    return figure


def _panel(axes: Axes, panel: Panel) -> None:
    alone = len(panel.curves) == 1
    looks = itertools.cycle(itertools.product(_STYLES, _COLOURS))
    for curve, (style, colour) in zip(panel.curves, looks, strict=False):
        _curve(axes, curve, colour=colour, style=style, alone=alone)
    points = [point for curve in panel.curves for point in curve.points]
    if not alone and any(point.floor for point in points):
        axes.plot([], [], ":", color=_FLOOR, label="floors: real videos against real ones")
    if all(point.value is None or point.value >= 0 for point in points):
        axes.set_ylim(bottom=0)
    if not panel.is_scale:
        names = [escaped(point.name) for point in panel.curves[0].points]
        axes.set_xticks([point.at for point in panel.curves[0].points], names)
        if sum(map(len, names)) > _NAMES_IN_A_ROW:
            axes.tick_params(axis="x", labelrotation=30)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
    axes.set_title(escaped(title(panel)), loc="left", fontweight="bold")
    axes.set_xlabel(escaped(panel.along))
    axes.set_ylabel(f"{panel.metric.upper()}, {'lower' if panel.lower_is_better else 'higher'} is better")
    axes.grid(axis="y", color="#d5dce4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8.5)


def _curve(axes: Axes, curve: Curve, *, colour: str, style: str, alone: bool) -> None:
    """Draw the score as a line, its interval as a band, and its floor as a dotted line in a band of its own."""
    at = [point.at for point in curve.points]
    name = escaped(curve.name) if curve.name else "score"
    axes.plot(at, _values(curve.points), style, color=colour, linewidth=1.8, label=name)
    _band(axes, at, [point.interval for point in curve.points], colour, 0.18, "95 % interval" if alone else None)
    most = max((point.clips or 0 for point in curve.points), default=0)
    for full, face in ((True, colour), (False, "white")):
        here = [p for p in curve.points if p.value is not None and (p.clips in (None, most)) == full]
        label = None if full or not alone else "of fewer videos"
        if here:
            axes.plot(
                [p.at for p in here], _values(here), "o", color=colour, markerfacecolor=face, markersize=5, label=label
            )
    floors = [point.floor for point in curve.points]
    if any(floors):
        grey = _FLOOR if alone else colour
        values = [floor.value if floor else float("nan") for floor in floors]
        label = "floor: real videos against real ones" if alone else None
        axes.plot(at, values, ":", color=grey, linewidth=1.4, label=label)
        _band(axes, at, [floor.interval if floor else None for floor in floors], grey, 0.2 if alone else 0.08, None)


def _band(
    axes: Axes,
    at: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    colour: str,
    alpha: float,
    label: str | None,
) -> None:
    if any(intervals):
        nothing = (float("nan"), float("nan"))
        low, high = zip(*(interval or nothing for interval in intervals), strict=True)
        axes.fill_between(at, low, high, color=colour, alpha=alpha, linewidth=0, label=label)


def _values(points: Sequence[Point]) -> list[float]:
    return [float("nan") if point.value is None else point.value for point in points]


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


def _table(grid: Grid) -> str:
    marks = [" class=n" if column.is_number else "" for column in grid.columns]
    head = "".join(f"<th{mark}>{in_html(c.heading)}</th>" for mark, c in zip(marks, grid.columns, strict=True))
    rows = (
        "".join(f"<td{mark}>{in_html(text)}</td>" for mark, text in zip(marks, row, strict=True)) for row in grid.rows
    )
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table></div>"
