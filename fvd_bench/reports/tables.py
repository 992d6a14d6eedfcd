"""Results as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

if TYPE_CHECKING:
    import pandas

from fvd_bench.escapes import cell
from fvd_bench.evaluation.result import MotionPanel, Result, Score

UNKNOWN = {"interval": "interval", "floor": "floor", "infinite": "value at infinity"}
"""What may be unknown about a score, in words."""


def result_table(result: Result) -> RenderableType:
    """Show the scores, and why some could not be computed."""
    reasons = [f"{score.protocol}: no {score.metric}: {score.reason}" for score in result.scores if score.value is None]
    reasons += [
        f"{score.protocol}: no {UNKNOWN.get(what, what)} of {score.metric}: {reason}"
        for score in result.scores
        for what, reason in score.unknown.items()
    ]
    tables: list[RenderableType] = [score_table([score for score in result.scores if not is_scale(score)])]
    if result.motion:
        tables.append(motion_table(result.motion))
    scales = [score for score in result.scores if is_scale(score)]
    if scales:
        tables.append(scale_table(scales))
    return Group(*tables, *map(cell, reasons))


def is_scale(score: Score) -> bool:
    """Return whether a score compares the real videos with themselves after their motion was broken."""
    return score.row is not None and score.row.startswith("scale-")


def motion_table(motion: MotionPanel) -> Table:
    """Show how both sides move."""
    table = Table("motion")
    for heading in ("energy", "median", "spread", "still", "loops", "videos"):
        table.add_column(heading, justify="right")
    for name, side in (("real", motion.real), ("fake", motion.fake)):
        loops = "–" if side.looping is None else f"{side.looping:.0%}"
        row = [name, number(side.mean), number(side.median), number(side.spread), f"{side.still:.0%}", loops]
        table.add_row(*map(cell, [*row, str(side.videos)]))
    return table


def scale_table(scores: Sequence[Score]) -> Table:
    """Show what broken motion is worth: the real videos against themselves."""
    table = Table("real videos against themselves", "metric")
    table.add_column("score", justify="right", style="bold")
    table.add_column("95 % interval", justify="right")
    for score in scores:
        assert score.row is not None
        what = score.row.removeprefix("scale-")
        row = [f"{score.protocol.removesuffix(score.row).rstrip('-')}, {what}", score.metric.upper()]
        table.add_row(*map(cell, [*row, number(score.value), span(score.interval)]))
    return table


def score_frame(result: Result) -> pandas.DataFrame:
    """Return one row per score, with what is known about its uncertainty and how it was made."""
    return result.to_frame()


def score_table(scores: Sequence[Score]) -> Table:
    """Show one line per score."""
    repeated = any(score.std is not None for score in scores)
    floored = any(score.floor is not None for score in scores)
    table = Table("protocol", "metric")
    table.add_column("score", justify="right", style="bold")
    if repeated:
        table.add_column("± std", justify="right")
    for heading in ("95 % interval", *(["floor", "at infinity"] if floored else [])):
        table.add_column(heading, justify="right")
    for heading in ("real clips", "fake clips", "skipped"):
        table.add_column(heading, justify="right")
    for score in scores:
        row = [f"{score.protocol}@{score.protocol_version}", f"{score.metric.upper()} {_arrow(score)}"]
        row.append(number(score.value))
        if repeated:
            row.append(number(score.std))
        row.append(span(score.interval))
        if floored:
            row.append(number(score.floor.value if score.floor else None))
            row.append(f"{number(score.infinite.value)} ({span(score.infinite.interval)})" if score.infinite else "–")
        row += [str(score.real.clips), str(score.fake.clips)]
        row.append(str(len(score.real.skipped) + len(score.fake.skipped)))
        table.add_row(*map(cell, row))
    return table


def number(value: float | None) -> str:
    """Write a score for people: two decimals, more where it is small, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"


def span(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{number(interval[0])} to {number(interval[1])}"


def _arrow(score: Score) -> str:
    return "↓" if score.lower_is_better else "↑"
