"""Results, plans and selftests as tables for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas

from fvd_bench.escapes import cell
from fvd_bench.evaluation.plan import Plan
from fvd_bench.evaluation.result import MotionPanel, Result, Score
from fvd_bench.evaluation.selftest import Check

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


def plan_table(plan: Plan) -> RenderableType:
    """Show what a run would use and skip, and how long it would take."""
    table = Table("protocol", "side", title="dry run: nothing was scored")
    for column in ("used", "of these stored", "skipped"):
        table.add_column(column, justify="right")
    notes: list[RenderableType] = []
    for side in plan.sides:
        row = [side.protocol, side.side, str(side.used), str(side.stored), str(len(side.skipped))]
        table.add_row(*map(cell, row))
        notes += [cell(f"{side.protocol}: {side.side} {name}: {why}") for name, why in side.skipped.items()]
    notes += [cell(f"{name}: cannot be served: {reason}") for name, reason in plan.unserved.items()]
    return Group(table, *notes, Text(f"the networks need about {_duration(plan.seconds)} on this device"))


def checks_table(checks: Sequence[Check]) -> RenderableType:
    """Show each published number, what was found, and where it was published."""
    table = Table("check", "published", "found", "off by", "allowed", "", "origin")
    for check in checks:
        off = "" if isinstance(check.found, str) or isinstance(check.expected, str) else check.found - check.expected
        numbers = [_number(value) for value in (check.expected, check.found)]
        gap = off if isinstance(off, str) else f"{abs(off):.1e}"
        verdict = "ok" if check.ok else "FAILED"
        row = [check.name, *numbers, gap, f"{check.tolerance:.1e}", verdict, check.origin]
        table.add_row(*map(cell, row))
    passed = sum(check.ok for check in checks)
    return Group(table, Text(f"{passed} of {len(checks)} published numbers are reproduced"))


def checks_json(checks: Sequence[Check]) -> str:
    """Write the checks as a JSON list."""
    return json.dumps([{**asdict(check), "ok": check.ok} for check in checks], indent=2) + "\n"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.8g}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
