"""A chart of what metrics see: for each metric, how much each distortion moves it, as a part of the largest move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fvd_bench.escapes import escaped
from fvd_bench.evaluation.studies.sensitivity import Audit, Sensitivity
from fvd_bench.reports.charts.canvas import saved, set_percent_ticks
from fvd_bench.reports.charts.palette import FLOOR, LIGHT, LINE, SOFT
from fvd_bench.videos.distortion import Changes
from fvd_bench.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS: Mapping[Changes, str] = {"frames": LIGHT["real"], "both": LIGHT["fourth"], "motion": LIGHT["fake"]}
_SAYS: Mapping[Changes, str] = {
    "frames": "frames worse, motion as it was",
    "both": "frames worse, and each in another way",
    "motion": "frames as they were, motion worse",
}
_SIZES = (4, 6.5, 9)
"""The sizes of the marks of weak, medium and strong distortions, in points."""

_IN_A_ROW = 4
_WIDE = 7.0
"""Inches that two columns of the legend need."""


def picture(audit: Audit, form: str) -> bytes:
    """Draw a panel for each metric that has scores, and return the file. form: one of `canvas.IMAGES`."""
    return saved(lambda: _figure(audit), form)


def _figure(audit: Audit) -> Figure:
    from matplotlib.figure import Figure

    shown = [s for s in audit.sensitivities if any(seen.share is not None for seen in s.seen)]
    changes = {rung.distortion: rung.changes for rung in audit.ladder}
    across = min(_IN_A_ROW, max(len(shown), 1))
    down = -(-max(len(shown), 1) // across)
    height = down * (1.1 + 0.3 * len(changes)) + 0.9
    figure = Figure(figsize=(2.2 + 2.7 * across, height), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False)
    for place, axes in enumerate(panels.flat):
        if place >= len(shown):
            axes.set_axis_off()
            continue
        _draw(axes, shown[place], changes)
        names = [escaped(name) for name in changes] if place % across == 0 else [""] * len(changes)
        axes.set_yticks([-row for row in range(len(changes))], names)
    _legend(figure, [change for change in _SAYS if change in changes.values()])
    return figure


def _draw(axes: Axes, sensitivity: Sensitivity, changes: Mapping[str, Changes]) -> None:
    for row, (distortion, change) in enumerate(changes.items()):
        shares = [seen.share for seen in sensitivity.of(distortion)]
        known = [(share, size) for share, size in zip(shares, _SIZES, strict=True) if share is not None]
        axes.plot([share for share, _ in known], [-row] * len(known), color=_COLOURS[change], linewidth=1.5)
        for share, size in known:
            axes.plot([share], [-row], "o", color=_COLOURS[change], markersize=size, alpha=0.85)
    if sensitivity.floor is not None:
        largest = next(s.damage / s.share for s in sensitivity.seen if s.damage and s.share)
        if sensitivity.floor.value <= largest:
            axes.axvline(sensitivity.floor.value / largest, color=FLOOR, linewidth=1.5, linestyle=":")
    axes.axvline(0, color=SOFT, linewidth=1)
    axes.grid(axis="y", color=LINE, linewidth=1)
    axes.set_axisbelow(True)
    axes.set_ylim(-len(changes) + 0.4, 0.6)
    axes.set_xlim(min(-0.04, *(seen.share - 0.04 for seen in sensitivity.seen if seen.share is not None)), 1.06)
    set_percent_ticks(axes.xaxis)
    axes.set_title(
        f"{escaped(sensitivity.metric)}\ncontent bias {number(sensitivity.content_bias)}",
        loc="left", fontweight="bold",
    )  # fmt: skip
    axes.tick_params(axis="y", length=0)


def _legend(figure: Figure, changes: Sequence[Changes]) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], color=_COLOURS[change], marker="o", label=_SAYS[change]) for change in changes]
    marks.append(Line2D([], [], color=FLOOR, linestyle=":", label="floor: what real videos score against others"))
    title = "Part of the largest damage that the metric shows. Larger marks are stronger distortions."
    columns = 1 if figure.get_figwidth() < _WIDE else 2
    figure.legend(
        handles=marks, title=title if columns > 1 else None, loc="outside lower left", ncols=columns, frameon=False,
        fontsize=10, alignment="left",
    )  # fmt: skip
