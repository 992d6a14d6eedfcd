"""Charts of videos: where they are among each other, and how they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fvd_bench.evaluation.details.exhibits import Exhibits
from fvd_bench.features.moments import Float64
from fvd_bench.inspection.motion import Motion
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.reports.charts.canvas import Chart, canvas, set_log_ticks, set_percent_ticks
from fvd_bench.reports.charts.labels import write_labels
from fvd_bench.reports.charts.palette import FAKE, LINE, MILD, PAGE, REAL, SOFT, STRONG, WORST
from fvd_bench.words import counted, percent

_MOST_POINTS = 700
"""Points of a side that are drawn, so that the page stays small."""

_STRONG_PART, _WORST_PART = 0.5, 0.9
"""Fakes above these quantiles of influence have stronger colours."""

_BINS, _WIDE, _LEAST_ENERGY = 24, 8.0, 0.01
"""The axis of energies is logarithmic where the largest is `_WIDE` times the least. None counts as less than the last
number."""

_COLOURS: Mapping[Side, str] = {"real": REAL, "fake": FAKE}


def map_chart(shown: Exhibits) -> Chart | None:
    """Draw both sides in the plane in which they spread most, the fakes coloured by what they add to the score."""
    found = shown.feature_map
    if found is None:
        return None
    real, fake = (found.places[side] for side in SIDES)
    first, second = map(percent, found.parts)
    legend = {"real": "real videos"}
    with canvas(f"{len(real)} real and {len(fake)} fake videos in a plane", height=350, left=14, bottom=26) as drawn:
        axes = drawn.axes
        kept = _thinned(len(real))
        axes.plot(*real[kept].T, "o", mfc="none", mec=REAL, mew=1, markersize=4.5)
        if shown.shares is None:
            axes.plot(*fake[_thinned(len(fake))].T, "o", color=FAKE, markersize=4.5)
            legend["fake"] = "fake videos"
        else:
            harm = shown.shares if shown.score.lower_is_better else -shown.shares
            ranks = harm.argsort(kind="stable").argsort(kind="stable") / max(len(harm), 1)
            classes = ((MILD, 0.0, _STRONG_PART), (STRONG, _STRONG_PART, _WORST_PART), (WORST, _WORST_PART, 1.1))
            some = np.zeros(len(fake), dtype=bool)
            some[_thinned(len(fake))] = True
            some |= ranks >= _WORST_PART
            for size, (colour, low, high) in enumerate(classes):
                chosen = some & (ranks >= low) & (ranks < high)
                axes.plot(*fake[chosen].T, "o", color=colour, markersize=4 + 0.8 * size, mec=PAGE, mew=0.4)
            legend |= {
                "mild": "fakes that add less than most",
                "strong": "fakes that add more than most",
                "worst": "the tenth that adds most to the score",
            }
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(f"across {first} of the variance, upwards {second}")
        numbered = {str(rank): tuple(fake[listed.point]) for rank, listed in enumerate(shown.worst, start=1)}
        write_labels(drawn.figure, axes, numbered, fontsize=11, fontweight="bold")
    says = "The numbers are those of the fakes in the list above." if shown.worst else ""
    left_out = sum(len(side) > _MOST_POINTS for side in (real, fake))
    return Chart(drawn.svg, f"{says} {'Some points are left out.' if left_out else ''}".strip(), legend)


def distance_chart(shown: Exhibits) -> Chart | None:
    """Draw how far videos are from the nearest of either side, as the part of videos that have one so near."""
    real, fake = (shown.points.get(side) for side in SIDES)
    if real is None or fake is None or fake.other is None or real.own is None or real.other is None:
        return None
    lines: list[tuple[str, str, str, Float64]] = [
        ("real", "from a real to the nearest other real", "-", real.own.distance),
        ("fake", "from a fake to the nearest real", "-", fake.other.distance),
        ("floor", "from a real to the nearest fake", "--", real.other.distance),
    ]
    described = "; ".join(f"{what}: median {np.median(values):.3g}" for _, what, _, values in lines)
    colours = {"real": REAL, "fake": FAKE, "floor": SOFT}
    with canvas(described, left=52) as drawn:
        axes = drawn.axes
        for role, _, style, values in lines:
            x = np.sort(values)
            y = np.arange(1, len(x) + 1) / len(x)
            axes.step(np.r_[x[0], x], np.r_[0, y], style, where="post", color=colours[role], linewidth=2)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
        axes.set_yticks((0, 0.5, 1), ("0", "half", "all"))
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_xlabel("distance in feature space, at most")
        axes.set_ylabel("videos")
    says = (
        "Fakes far right of the reals are unlike any real video; fakes left of them are copies of real ones, or "
        "nearly so."
    )
    return Chart(drawn.svg, says, {"real": lines[0][1], "fake": lines[1][1], "soft": lines[2][1]})


def energy_chart(motions: Mapping[Side, Sequence[Motion]]) -> Chart | None:
    """Draw how much the videos of both sides move, as histograms on one axis."""
    energies = {side: np.array([motion.energy for motion in of_side]) for side, of_side in motions.items()}
    if not all(len(energies.get(side, ())) for side in SIDES):
        return None
    clipped = {side: np.maximum(found, _LEAST_ENERGY) for side, found in energies.items()}
    low, high = float(min(map(np.min, clipped.values()))), float(max(map(np.max, clipped.values())))
    is_wide = high / low > _WIDE
    edges = np.geomspace(low / 1.05, high * 1.05, _BINS + 1) if is_wide else np.linspace(0, high * 1.05, _BINS + 1)
    described = "; ".join(f"{side}: median {np.median(found):.3g} grey levels" for side, found in energies.items())
    with canvas(described, left=52) as drawn:
        axes = drawn.axes
        for side in SIDES:
            counts, _ = np.histogram(clipped[side], edges)
            parts = counts / counts.sum()
            axes.stairs(parts, edges, fill=True, color=_COLOURS[side], alpha=0.25, linewidth=0)
            axes.stairs(parts, edges, color=_COLOURS[side], linewidth=2)
        if is_wide:
            axes.set_xscale("log")
            set_log_ticks(axes.xaxis, low, high)
        set_percent_ticks(axes.yaxis)
        axes.set_xlabel("mean change from frame to frame, in grey levels")
        axes.set_ylabel("part of the videos")
    return Chart(drawn.svg, "", {side: counted(len(energies[side]), f"{side} video") for side in SIDES})


def change_chart(motions: Mapping[Side, Sequence[Motion]]) -> Chart | None:
    """Draw how much the picture changes at each frame number: the median of the videos, and the half around it."""
    rows = {side: [motion.changes for motion in motions.get(side, ()) if motion.changes] for side in SIDES}
    if not all(rows.values()):
        return None
    described = "change of the picture at each frame number"
    with canvas(described, left=46) as drawn:
        axes = drawn.axes
        for side in SIDES:
            low, middle, high = _quartiles(rows[side])
            frames = np.arange(1, len(middle) + 1)
            axes.fill_between(frames, low, high, color=_COLOURS[side], alpha=0.2, linewidth=0)
            axes.plot(frames, middle, color=_COLOURS[side], linewidth=2)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=1)
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_axisbelow(True)
        axes.set_xlabel("frame number")
        axes.set_ylabel("grey levels")
    says = "The line is the median of the videos, the band holds the half of them around it."
    return Chart(drawn.svg, says, {side: f"{side}: change from this frame to the next" for side in SIDES})


def _quartiles(rows: Sequence[tuple[float, ...]]) -> tuple[Float64, Float64, Float64]:
    """Return the quartiles at each frame number that at least half of the videos reach."""
    length = int(np.median([len(row) for row in rows]))
    table = np.full((len(rows), length), np.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row[:length]
    low, middle, high = np.nanquantile(table, (0.25, 0.5, 0.75), axis=0)
    return low, middle, high


def _thinned(total: int) -> NDArray[np.int64]:
    """Return the indices of at most 700 of the points, evenly spaced."""
    return np.unique(np.linspace(0, total - 1, min(total, _MOST_POINTS)).round().astype(np.int64))
