"""Protocols for people: which ones there are, and how two of them differ."""

from __future__ import annotations

import json

from rich.console import Group

from fvd_bench.protocols import paired, protocol
from fvd_bench.protocols.aliases import ALIASES
from fvd_bench.protocols.differences import ABSENT, Difference
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose

_MARKS = (
    "fvdN_Tf, such as fvd10000_16f: stylegan-v-fvd16-code with N videos a side and clips of T frames; "
    "fvdN_Tf_subsampleSf takes every S-th of these frames",
    "not comparable: its scores are not those of the codebase that it is named after; `show` says why",
    "superseded: an older version, kept so that its scores can be made again; `show` says what was wrong",
)


def listing() -> Report:
    """Report each protocol that ships with the package, those with a short name first, and those that could not."""
    first = list(dict.fromkeys(ALIASES.values()))
    names = [*first, *(name for name in protocol.names() if name not in first)]
    rows, records = [], []
    for name in names:
        newest, *older = protocol.versions(name)
        for version in (newest, *older):
            loaded = protocol.load(f"{name}@{version}")
            marks = ["superseded"] * (version != newest) + ["not comparable"] * bool(loaded.not_comparable)
            aliases = [alias for alias, of in ALIASES.items() if of == name] if version == newest else []
            full, digest = f"{name}@{version}", loaded.digest()
            summary = f"{', '.join(marks)}: {loaded.summary}" if marks else loaded.summary
            rows.append([full, ", ".join(aliases), digest[:12], summary])
            records.append(
                {"protocol": name, "version": version, "aliases": " ".join(aliases), "digest": digest}
                | {"marks": " ".join(mark.replace(" ", "-") for mark in marks), "summary": loaded.summary}
            )
    grid = Grid([Column("protocol"), Column("short"), Column("digest"), Column("summary", is_prose=True)], rows)
    absent = Grid([Column("not shipped"), Column("why", is_prose=True)], list(map(list, ABSENT.items())))
    return Report(
        text=Group(grid, "", _of_pairs(), "", absent, "", *map(Prose, _MARKS)),
        grid=grid,
        records=records,
        to_json=lambda: json.dumps(records, indent=2) + "\n",
    )


def _of_pairs() -> Grid:
    """Show the protocols of videos against their originals, which `fvd-bench paired` takes."""
    rows = []
    for name in paired.names():
        loaded = paired.load(name)
        rows.append([f"{name}@{loaded.version}", loaded.digest()[:12], loaded.summary])
    return Grid([Column("of pairs"), Column("digest"), Column("summary", is_prose=True)], rows)


def comparison(names: tuple[str, str], found: list[Difference]) -> Report:
    """Report the fields in which two protocols differ. names: what to call them."""
    grid = Grid([Column("field"), *map(Column, names)], [[d.name, *d.texts] for d in found])
    records = [{"field": d.name, "a": d.texts[0], "b": d.texts[1]} for d in found]
    notes = [Prose("–: does not matter there")] if any(difference.idle_in for difference in found) else []
    return Report(
        text=Group(grid, *notes), grid=grid, records=records, to_json=lambda: json.dumps(records, indent=2) + "\n"
    )
