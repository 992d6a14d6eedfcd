"""What a run would do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import duration

if TYPE_CHECKING:
    from fvd_bench.evaluation.duration import Seconds
    from fvd_bench.evaluation.plan import Plan


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
    notes += [Prose(f"{name}: no score: {why}") for name, why in plan.unserved.items()]
    if plan.seconds is not None:
        notes.append(Prose(_time(plan.seconds)))
    return Group(Prose("dry run: nothing was scored"), Grid(columns, rows), *notes)


def _time(seconds: Seconds) -> str:
    """Say how long the whole takes, and its parts."""
    parts = [f"opening {duration(seconds.opening)}"]
    if seconds.features:
        networks, reading = duration(seconds.networks), duration(seconds.reading)
        parts.append(f"features {duration(seconds.features)} (networks alone {networks}, reading alone {reading})")
    parts += [f"motion {duration(seconds.motion)}", f"scores {duration(seconds.scoring)}"]
    return f"the whole run needs about {duration(seconds.total)} on this device: {', '.join(parts)}"
