"""Charts of scores: on one axis, against the number of videos, and as steps from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fvd_bench.escapes import escaped
from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.score import Score
from fvd_bench.metrics.subset_scores import SubsetScores
from fvd_bench.reports.charts.canvas import Chart, canvas, set_log_ticks, shortened
from fvd_bench.reports.charts.palette import FLOOR, INK, LIMIT, LINE, SCORE, SOFT
from fvd_bench.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _WIDE = 42, 30.0
"""Units between rows; the axis is logarithmic where the largest number is this many times the smallest."""

_LONGEST = 40
"""Characters of a label."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chart of scores."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    floor: Estimate | None = None
    infinite: Estimate | None = None
    values: tuple[float, ...] = ()


def row_of(score: Score, label: str) -> Row:
    """Return the row of a score that has a value."""
    assert score.value is not None
    values = score.values if len(score.values) > 1 else ()
    return Row(label, score.value, score.interval, score.floor, score.infinite, values)


def scores_chart(rows: Sequence[Row], unit: str) -> Chart:
    """Draw rows on one axis: a point and its interval, with the floor and the value at infinity beside it."""
    described = "; ".join(f"{row.label}: {number(row.value)}" for row in rows)
    height = 46 + _ROW * len(rows)
    with canvas(described, height=height, left=14, bottom=42, top=4) as drawn:
        axes = drawn.axes
        ends = [end for row in rows for end in _ends(row)]
        _set_scale(axes, ends)
        for place, row in enumerate(rows):
            y = -place
            axes.axhline(y, color=LINE, linewidth=1, zorder=0)
            _label(axes, y, row.label, number(row.value))
            if row.floor is not None:
                axes.plot(row.floor.interval, (y, y), color=FLOOR, linewidth=9, alpha=0.45, zorder=1)
                axes.plot([row.floor.value], [y], "D", color=FLOOR, markersize=7, zorder=3)
            if row.interval is not None:
                axes.plot(row.interval, (y, y), color=SCORE, linewidth=3, zorder=2)
            if row.infinite is not None:
                axes.plot(row.infinite.interval, (y - 0.17, y - 0.17), color=LIMIT, linewidth=2, zorder=2)
                axes.plot([row.infinite.value], [y - 0.17], "o", mfc="none", mec=LIMIT, mew=2, markersize=7, zorder=4)
            for value in row.values:
                axes.plot([value], [y], "|", color=SCORE, markersize=12, zorder=3)
            axes.plot([row.value], [y], "o", color=SCORE, markersize=8, zorder=4)
        axes.set_ylim(-len(rows) + 0.45, 0.75)
        _leave_numbers(axes, unit)
    draws = ", and a small mark for each draw" if any(row.values for row in rows) else ""
    legend = {"score": f"score, with its 95 % interval{draws}"}
    if any(row.floor for row in rows):
        legend["floor"] = "floor: what real videos score against others of their kind"
    if any(row.infinite for row in rows):
        legend["limit"] = "at infinity: without the part that is due to the number of videos"
    return Chart(drawn.svg, "", legend)


def count_chart(score: Score, parts: Sequence[SubsetScores], *, videos: int) -> Chart:
    """Draw a score against the number of videos, on an axis that ends with infinitely many.

    parts: scores at fewer videos. videos: the number behind the score. Both count those of the smaller side.
    """
    assert score.value is not None
    points = [(min(part.real, part.fake), part.values) for part in parts]
    points.append((videos, (score.value,)))
    described = "; ".join(f"{count} videos: {number(float(np.mean(values)))}" for count, values in points)
    with canvas(described, height=260, left=52) as drawn:
        axes = drawn.axes
        where = [1 / count for count, _ in points]
        for x, (_, values) in zip(where, points, strict=True):
            axes.plot([x] * len(values), values, "o", color=SCORE, markersize=5, alpha=0.55)
        axes.plot(where, [np.mean(values) for _, values in points], "-", color=SCORE, linewidth=2)
        axes.plot(where[-1:], [score.value], "o", color=SCORE, markersize=9)
        if score.interval is not None:
            axes.plot(where[-1:] * 2, score.interval, color=SCORE, linewidth=3)
        names = [str(count) for count, _ in points]
        if score.infinite is not None:
            axes.plot((where[-1], 0), (score.value, score.infinite.value), "--", color=LIMIT, linewidth=2)
            axes.plot((0, 0), score.infinite.interval, color=LIMIT, linewidth=3)
            axes.plot([0], [score.infinite.value], "o", mfc="none", mec=LIMIT, mew=2, markersize=9)
            where, names = [*where, 0], [*names, "∞"]
        axes.set_xticks(where, names)
        axes.set_xlim(max(where) * 1.06, -0.04 * max(where))
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_axisbelow(True)
        axes.set_xlabel("videos of the smaller side")
        axes.set_ylabel(escaped(score.metric.upper()))
    legend = {"score": "score of random parts, their mean, and the score of all"}
    if score.infinite is not None:
        legend["limit"] = "extrapolated to infinitely many videos, with its interval"
    return Chart(drawn.svg, "", legend)


@dataclass(frozen=True, slots=True)
class Bar:
    """A change. label: of what. low, high: where it begins and ends. text: the change in words."""

    label: str
    low: float
    high: float
    text: str
    error: float | None = None
    colour: str = SCORE


def bars_chart(bars: Sequence[Bar], unit: str, legend: dict[str, str]) -> Chart:
    """Draw changes as bars from where each begins to where it ends, one below the other."""
    described = "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    with canvas(described, height=46 + _ROW * len(bars), left=14, bottom=42, top=4) as drawn:
        axes = drawn.axes
        for place, bar in enumerate(bars):
            y = -place
            axes.barh(y, bar.high - bar.low, left=bar.low, height=0.34, color=bar.colour, zorder=2)
            if bar.error is not None:
                axes.plot((bar.high - bar.error, bar.high + bar.error), (y, y), color=INK, linewidth=1.5, zorder=3)
            _label(axes, y, bar.label, bar.text)
        axes.axvline(0, color=SOFT, linewidth=1)
        axes.set_ylim(-len(bars) + 0.45, 0.8)
        _leave_numbers(axes, unit)
    return Chart(drawn.svg, "", legend)


def _label(axes: Axes, y: float, label: str, text: str) -> None:
    """Write above a row what it is, at the left end, and its number, at the right end."""
    above: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"),
        "xytext": (0, 9),
        "textcoords": "offset points",
        "fontsize": 12,
    }
    axes.annotate(escaped(shortened(label, _LONGEST)), (0, y), annotation_clip=False, **above)
    axes.annotate(escaped(text), (1, y), ha="right", fontweight="bold", **above)


def _ends(row: Row) -> list[float]:
    found = [row.value, *(row.interval or ()), *row.values]
    for estimate in (row.floor, row.infinite):
        found += [estimate.value, *estimate.interval] if estimate else []
    return found


def _set_scale(axes: Axes, ends: Sequence[float]) -> None:
    """Let the axis hold 0, or be logarithmic where the numbers differ by much."""
    low, high = min(ends), max(ends)
    if low > 0 and high / low > _WIDE:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.3, high * 1.3)
        set_log_ticks(axes.xaxis, low / 1.3, high * 1.3)
        return
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.04 * (high - low) if high - low > 1e-12 else 0.5
    axes.set_xlim(low - (margin if low < 0 else 0), high + margin)


def _leave_numbers(axes: Axes, unit: str) -> None:
    """Leave of the axes the one with the numbers."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(escaped(unit))
