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
from fvd_bench.evaluation.result import Result, Score
from fvd_bench.evaluation.selftest import Check
from fvd_bench.reports.layout import Column, Grid, Prose

UNKNOWN = {"interval": "interval", "floor": "floor", "infinite": "value at infinity"}
"""What may be unknown about a score, in words."""


def is_scale(score: Score) -> bool:
    """Return whether a score compares the real videos with themselves after their motion was broken."""
    return score.row is not None and score.row.startswith("scale-")


def score_frame(result: Result) -> pandas.DataFrame:
    """Return one row per score, with what is known about its uncertainty and how it was made."""
    import pandas

    columns = (
        "protocol protocol_version metric row value std interval error_real error_fake seed digest signature reason"
    ).split()
    rows = [
        {name: getattr(score, name) for name in columns}
        | {"floor": score.floor and score.floor.value, "infinite": score.infinite and score.infinite.value}
        | {"real_clips": score.real.clips, "fake_clips": score.fake.clips}
        for score in result.scores
    ]
    return pandas.DataFrame(rows)


def number(value: float | None) -> str:
    """Write a score for people: two decimals, more where it is small, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"


def span(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{number(interval[0])} to {number(interval[1])}"


def plan_table(plan: Plan) -> RenderableType:
    """Show what a run would use and skip, each video once, and how long it would take."""
    columns = [
        Column("protocol"),
        Column("side"),
        *(Column(name, is_number=True) for name in ("used", "of these stored", "skipped")),
    ]
    rows = [[s.protocol, s.side, str(s.used), str(s.stored), str(len(s.skipped))] for s in plan.sides]
    reasons: dict[str, dict[str, None]] = {}
    for side in plan.sides:
        for name, why in side.skipped.items():
            reasons.setdefault(f"{side.side} {name}", {})[why] = None
    notes = [Prose(f"{name}: {'; '.join(why)}") for name, why in reasons.items()]
    notes += [Prose(f"{name}: cannot be served: {reason}") for name, reason in plan.unserved.items()]
    return Group(
        Prose("dry run: nothing was scored"),
        Grid(columns, rows),
        *notes,
        Prose(f"the networks need about {_duration(plan.seconds)} on this device"),
    )


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
