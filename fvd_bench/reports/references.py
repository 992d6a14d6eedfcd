"""References for people: which ones there are, and what is known of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from fvd_bench.features.references.resolving import Held
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Record


def listing(found: Sequence[Held]) -> Report:
    """Report references, a row each: where they are, which videos, how many, and for which protocols."""
    columns = [
        Column("reference"),
        Column("where"),
        Column("videos", is_number=True),
        Column("licence"),
        Column("set", is_prose=True),
        Column("protocols", is_prose=True),
    ]
    rows = [
        [r.shown, held.where, str(r.videos), r.licence, r.set, ", ".join(r.protocols)]
        for held in found
        for r in (held.reference,)
    ]
    tables = [{"where": held.where, **asdict(held.reference)} for held in found]
    flat = [{key: _flat(value) for key, value in table.items()} for table in tables]
    grid = Grid(columns, rows)
    return Report(text=grid, grid=grid, records=flat, to_json=lambda: json.dumps(tables, indent=2) + "\n")


def description(held: Held) -> Report:
    """Report all that a manifest says of a reference."""
    r = held.reference
    fields = [
        ("set", r.set),
        ("prepared", r.prepared),
        ("licence", r.licence),
        ("credit", r.credit),
        ("videos", f"{r.videos}, for the {r.side} side"),
        ("holds", r.holds),
        ("protocols", ", ".join(f"{name} ({digest[:12]})" for name, digest in r.protocols.items())),
        ("seeds", f"{r.seed} to {r.seed + r.repeats - 1}" if r.repeats > 1 else str(r.seed)),
        ("weights", ", ".join(f"{name} ({digest[:12]})" for name, digest in r.weights.items())),
        ("fingerprint", r.fingerprint),
        ("sha256", r.digest),
        ("size", f"{r.size:,} bytes"),
    ]
    known = [(name, text) for name, text in fields if text]
    grid = Grid([Column("field"), Column(r.shown, is_prose=True)], [list(field) for field in known])
    table = {"where": held.where, **asdict(r)}
    return Report(
        text=Record(r.shown, known, more=held.where),
        grid=grid,
        records=[{key: _flat(value) for key, value in table.items()}],
        to_json=lambda: json.dumps(table, indent=2) + "\n",
    )


def _flat(value: object) -> object:
    """Write a table in a field of CSV."""
    return " ".join(f"{key}={text}" for key, text in value.items()) if isinstance(value, dict) else value
