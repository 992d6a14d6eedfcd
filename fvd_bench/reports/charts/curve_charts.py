"""Charts of curves: a score along something, with its interval and its floor as bands; for a page, and as a file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fvd_bench.escapes import escaped
from fvd_bench.evaluation.studies.curves import Curve, Panel, Point
from fvd_bench.reports.charts.canvas import Chart, canvas, saved, shortened
from fvd_bench.reports.charts.palette import FLOOR, LIGHT, PAGE, SERIES
from fvd_bench.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = {"-": "", "--": " (dashed)", "-.": " (dashes and dots)"}
"""Lines of the first six curves, of the next six, and so on; and what a legend says of them."""

_MOST_TICKS = 9
"""Points that are all marked on an axis of numbers."""

_MOST_LARGE_POINTS = 40
"""Points of a curve that do not hide each other."""

_IN_A_ROW, _LONGEST, _TURNED = 40, 20, 60
"""Characters of all names below an axis that stand beside each other, else they are turned, by so many degrees; and of
one name."""

_FLOOR_SAYS = "floor: what real videos score against others of their kind"
_HOLLOW_SAYS = "hollow points: of fewer videos"


def curve_chart(panel: Panel) -> Chart:
    """Draw a panel for a page."""
    described = "; ".join(
        f"{curve.name or panel.metric.upper()}: from {number(curve.points[0].value)} at {curve.points[0].name} to "
        f"{number(curve.points[-1].value)} at {curve.points[-1].name}"
        for curve in panel.curves
    )
    longest = max(map(len, _names(panel)), default=0) if _are_turned(panel) else 0
    with canvas(described, height=260 + 6 * longest, left=52, bottom=42 + 6 * longest) as drawn:
        _draw(drawn.axes, panel)
        drawn.axes.set_ylabel(panel.metric.upper())
    legend: dict[str, str] = {}
    for role, _, text in _legend(panel):
        legend[role] = f"{legend[role]}; {text}" if role in legend else text
    return Chart(drawn.svg, f"{_HOLLOW_SAYS.capitalize()}." if _has_hollow(panel) else "", legend)


def picture(panels: Sequence[Panel], titles: Sequence[str], form: str) -> bytes:
    """Draw panels below each other, and return the file. form: one of `canvas.IMAGES`."""
    return saved(lambda: _figure(panels, titles), form)


def _figure(panels: Sequence[Panel], titles: Sequence[str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5 * len(panels)), layout="constrained")
    parts = figure.subfigures(len(panels), squeeze=False)[:, 0]
    for part, panel, title in zip(parts, panels, titles, strict=True):
        axes = part.subplots()
        _draw(axes, panel)
        axes.set_title(escaped(title), loc="left", fontweight="bold")
        axes.set_ylabel(f"{panel.metric.upper()}, {'lower' if panel.lower_is_better else 'higher'} is better")
        for role, style, text in _legend(panel):
            axes.plot([], [], style, color=LIGHT[role], label=escaped(text))
        if _has_hollow(panel):
            axes.plot([], [], "o", color=LIGHT["soft"], markerfacecolor=PAGE, label=_HOLLOW_SAYS)
        part.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=10)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    """Draw all curves of a panel: scores as lines, their intervals as bands, their floors as dotted lines in bands."""
    for curve, (role, style) in zip(panel.curves, _looks(), strict=False):
        _curve(axes, curve, colour=LIGHT[role], style=style, alone=len(panel.curves) == 1)
    points = [point for curve in panel.curves for point in curve.points]
    if panel.from_zero and all(point.value is None or point.value >= 0 for point in points):
        axes.set_ylim(bottom=0)
    at = [point.at for point in panel.curves[0].points]
    if not panel.is_scale:
        axes.set_xticks(at, [escaped(name) for name in _names(panel)])
        if _are_turned(panel):
            axes.tick_params(axis="x", labelrotation=_TURNED)
            for label in axes.get_xticklabels():
                label.set(horizontalalignment="right", rotation_mode="anchor")
    elif len(at) <= _MOST_TICKS and panel.axis:
        axes.set_xticks(at, [f"{place:g}" for place in at])
    axes.set_xlabel(escaped(panel.axis or panel.along))
    axes.grid(axis="y", linewidth=1)
    axes.set_axisbelow(True)


def _curve(axes: Axes, curve: Curve, *, colour: str, style: str, alone: bool) -> None:
    at = [point.at for point in curve.points]
    axes.plot(at, _values(curve.points), style, color=colour, linewidth=2)
    _band(axes, at, [point.interval for point in curve.points], colour, 0.2 if alone else 0.12)
    most = _most_clips(curve)
    size = 6 if len(curve.points) <= _MOST_LARGE_POINTS else 2
    for full, face in ((True, colour), (False, PAGE)):
        here = [p for p in curve.points if p.value is not None and (p.clips in (None, most)) == full]
        if here:
            axes.plot([p.at for p in here], _values(here), "o", color=colour, markerfacecolor=face, markersize=size)
    floors = [point.floor for point in curve.points]
    if any(floors):
        floor_colour = FLOOR if alone else colour
        axes.plot(
            at, [floor.value if floor else float("nan") for floor in floors], ":", color=floor_colour, linewidth=2
        )
        _band(axes, at, [floor.interval if floor else None for floor in floors], floor_colour, 0.25 if alone else 0.08)


def _band(
    axes: Axes, at: Sequence[float], intervals: Sequence[tuple[float, float] | None], colour: str, alpha: float
) -> None:
    if any(intervals):
        nothing = (float("nan"), float("nan"))
        low, high = zip(*(interval or nothing for interval in intervals), strict=True)
        axes.fill_between(at, low, high, color=colour, alpha=alpha, linewidth=0)


def _looks() -> Iterator[tuple[str, str]]:
    """Yield the role of the colour and the style of the line of one curve after the other."""
    return itertools.cycle((role, style) for style in _STYLES for role in SERIES)


def _legend(panel: Panel) -> list[tuple[str, str, str]]:
    """Return role, style and text of each entry."""
    has_floor = any(point.floor for curve in panel.curves for point in curve.points)
    if len(panel.curves) == 1:
        (curve,) = panel.curves
        entries = [("score", "-", f"{curve.name or 'score'}, in the band of its 95 % interval")]
        return [*entries, ("floor", ":", _FLOOR_SAYS)] if has_floor else entries
    looks = zip(panel.curves, _looks(), strict=False)
    entries = [(role, style, f"{curve.name}{_STYLES[style]}") for curve, (role, style) in looks]
    return [*entries, ("soft", ":", f"dotted: {_FLOOR_SAYS}")] if has_floor else entries


def _has_hollow(panel: Panel) -> bool:
    return any(p.value is not None and p.clips not in (None, _most_clips(c)) for c in panel.curves for p in c.points)


def _most_clips(curve: Curve) -> int:
    return max((point.clips or 0 for point in curve.points), default=0)


def _names(panel: Panel) -> list[str]:
    return [shortened(point.name, _LONGEST) for point in panel.curves[0].points]


def _are_turned(panel: Panel) -> bool:
    return not panel.is_scale and sum(map(len, _names(panel))) > _IN_A_ROW


def _values(points: Sequence[Point]) -> list[float]:
    return [float("nan") if point.value is None else point.value for point in points]
