"""The page of curves: scores over checkpoints, or over the windows of long videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.studies.curves import Panel, Point, over_windows
from fvd_bench.reports.charts.curve_charts import curve_chart
from fvd_bench.reports.curves import curves_grid, title
from fvd_bench.reports.page.meaning import meaning
from fvd_bench.reports.page.page import Block, Charts, Made, Page, Section, Table, Verdict, Words
from fvd_bench.words import number, span


def curves_page(panels: Sequence[Panel], made: Made | None = None) -> Page:
    """Make the page of what `curves.read` returns."""
    titles = [f"{title(panel)}, by {panel.along}" for panel in panels]
    return Page(
        title="; ".join(titles),
        verdict=_verdict(panels[0]),
        sections=[Section(name, curve_blocks(panel)) for name, panel in zip(titles, panels, strict=True)],
        made=made or Made(),
    )


def window_sections(results: Mapping[str, Result]) -> list[Section]:
    """Return the section about the windows of the fake videos, if any were scored. results: name -> result."""
    panels = over_windows(results)
    said = "The score of each window of the fake videos, from their beginning on. A score that gets worse is drift."
    blocks = [block for panel in panels for block in (Words(f"{title(panel)}:"), *curve_blocks(panel))]
    return [Section("The score over time", [Words(said, is_soft=True), *blocks])] if panels else []


def curve_blocks(panel: Panel) -> list[Block]:
    """Return a panel as a chart and a table."""
    return [Charts([curve_chart(panel)]), Table.of_grid(curves_grid(panel))]


def _verdict(panel: Panel) -> Verdict:
    """Say which point of a panel is best, and where the curves end."""
    scored = [(curve.name, point) for curve in panel.curves for point in curve.points if point.value is not None]
    if not scored:
        return Verdict("unsure", "There is no score.")
    name, best = min(scored, key=lambda found: (found[1].value or 0.0) * (1 if panel.lower_is_better else -1))
    tone, what = meaning(best.value or 0.0, best.interval, best.floor)
    metric, extreme = panel.metric.upper(), "lowest" if panel.lower_is_better else "highest"
    ends = [_said(curve.name, points[-1]) for curve in panel.curves if (points := curve.points)]
    return Verdict(tone, f"{metric} is {extreme} at {_said(name, best)}{what}", f"At the end: {'; '.join(ends)}.")


def _said(curve: str, point: Point) -> str:
    sure = "" if point.interval is None else f" ({span(point.interval)})"
    return f"{f'{curve}, ' if curve else ''}{point.name}: {number(point.value)}{sure}"
