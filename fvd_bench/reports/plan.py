"""What a run would do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fvd_bench.escapes import cell

if TYPE_CHECKING:
    from fvd_bench.evaluation.duration import Seconds
    from fvd_bench.evaluation.plan import Plan


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
    notes += [cell(f"{name}: no score: {why}") for name, why in plan.unserved.items()]
    if plan.seconds is not None:
        notes.append(Text(_time(plan.seconds)))
    return Group(table, *notes)


def _time(seconds: Seconds) -> str:
    """Say how long the whole takes, and its parts."""
    parts = [f"opening {_duration(seconds.opening)}"]
    if seconds.features:
        networks, reading = _duration(seconds.networks), _duration(seconds.reading)
        parts.append(f"features {_duration(seconds.features)} (networks alone {networks}, reading alone {reading})")
    parts += [f"motion {_duration(seconds.motion)}", f"scores {_duration(seconds.scoring)}"]
    return f"the whole run needs about {_duration(seconds.total)} on this device: {', '.join(parts)}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} seconds" if seconds < 10 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
