"""How long the videos of sets are, as a figure: the paper's figure of its data sets for any others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fvd_bench.escapes import escaped
from fvd_bench.inspection.summary import Contents
from fvd_bench.reports.charts.canvas import saved
from fvd_bench.reports.charts.palette import SCORE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_lengths(sides: Sequence[Contents], form: str) -> bytes:
    """Draw the lengths of the videos of each side, in frames, below each other. form: one of `canvas.IMAGES`."""
    return saved(lambda: _figure(sides), form)


def _figure(sides: Sequence[Contents]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 2.8 * len(sides)), layout="constrained")
    for axes, side in zip(figure.subplots(len(sides), squeeze=False)[:, 0], sides, strict=True):
        if side.lengths.counts:
            axes.stairs(side.lengths.counts, side.lengths.edges, fill=True, color=SCORE)
        axes.set_title(escaped(side.path), loc="left", fontweight="bold")
        axes.set_xlabel("length in frames" + (f" at {', '.join(side.fps)} a second" if side.fps else ""))
        axes.set_ylabel("videos")
        axes.set_xlim(left=0)
        axes.locator_params(axis="y", integer=True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
