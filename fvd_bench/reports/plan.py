"""What a run would do, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fvd_bench.evaluation.plan import Plan, whole
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import duration

if TYPE_CHECKING:
    from fvd_bench.evaluation.duration import Seconds


def plan_table(plans: Mapping[str, Plan]) -> RenderableType:
    """Show what a run would use and skip, each video once, and how long it would take.

    plans: name of a generator -> plan, with the name empty where there is one alone.
    """
    columns = [
        Column("generator"),
        Column("protocol"),
        Column("side"),
        *(Column(name, is_number=True) for name in ("used", "of these stored", "skipped")),
    ]
    rows: dict[tuple[str, ...], None] = {}
    reasons: dict[str, dict[str, None]] = {}
    notes: list[Prose] = []
    for generator, plan in plans.items():
        for side in plan.sides:
            of = generator if side.side == "fake" else ""  # the real side is the same for all
            counts = side.used, side.stored, len(side.skipped)
            rows[of, side.protocol, side.side, *map(str, counts)] = None
            for name, why in side.skipped.items():
                reasons.setdefault(" ".join(filter(None, (of, side.side, name))), {})[why] = None
        named = f"{generator}: " if generator else ""
        notes += [Prose(f"{named}{name}: no score: {why}") for name, why in plan.unserved.items()]
    notes = [*(Prose(f"{name}: {'; '.join(why)}") for name, why in reasons.items()), *notes]
    if seconds := whole(plans.values()):
        notes.append(Prose(_time(seconds)))
    return Group(Prose("dry run: nothing was scored"), Grid(columns, list(rows)), *notes)


def _time(seconds: Seconds) -> str:
    """Say how long the whole takes, and its parts."""
    parts = [f"opening {duration(seconds.opening)}"]
    if seconds.features:
        networks, reading = duration(seconds.networks), duration(seconds.reading)
        parts.append(f"features {duration(seconds.features)} (networks alone {networks}, reading alone {reading})")
    parts += [f"motion {duration(seconds.motion)}", f"scores {duration(seconds.scoring)}"]
    return f"the whole run needs about {duration(seconds.total)} on this device: {', '.join(parts)}"
