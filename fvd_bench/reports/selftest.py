"""Published numbers and what was found here, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import counted

if TYPE_CHECKING:
    from fvd_bench.evaluation.selftest import Check
    from fvd_bench.evaluation.selftest_networks import NotRun


def checks_text(checks: Sequence[Check], not_run: Sequence[NotRun] = ()) -> RenderableType:
    """Say what is known of each published number that is not reproduced or was not tried, and how many are."""
    failed = [check for check in checks if not check.ok]
    lines = [Prose(f"FAILED {check.name}: {_difference(check)} ({check.origin})") for check in failed]
    lines += [Prose(f"not run: {number.name}: {number.reason} ({number.origin})") for number in not_run]
    reproduced = counted(len(checks) - len(failed), "published number", "are", of=len(checks))
    return Group(*lines, Prose(f"{reproduced} reproduced"))


def checks_table(checks: Sequence[Check]) -> RenderableType:
    """Show each published number and what was found, in a table for each place where they were published."""
    headings = ("published", "found", "off by", "allowed", "")
    columns = [Column("check"), *(Column(heading, is_number=True) for heading in headings)]
    parts: list[RenderableType] = []
    for origin in dict.fromkeys(check.origin for check in checks):
        rows = []
        for check in checks:
            if check.origin == origin:
                numbers = [_number(value) for value in (check.expected, check.found)]
                verdict = "ok" if check.ok else "FAILED"
                rows.append([check.name, *numbers, _gap(check), f"{check.tolerance:.0e}", verdict])
        parts += [Prose(origin), Grid(columns, rows)]
    return Group(*parts)


def checks_json(checks: Sequence[Check], not_run: Sequence[NotRun]) -> str:
    """Write the checks as a JSON list. Numbers that were not tried have `ok` and `found` null, and a `reason`."""
    tried = [{**asdict(check), "ok": check.ok} for check in checks]
    return json.dumps([*tried, *({**asdict(number), "found": None, "ok": None} for number in not_run)], indent=2) + "\n"


def _difference(check: Check) -> str:
    found = f"found {_number(check.found)}, published {_number(check.expected)}"
    gap = _gap(check)
    return f"{found}, off by {gap}, allowed {check.tolerance:.1e}" if gap else found


def _gap(check: Check) -> str:
    """Write by how much a number is off, nothing for texts."""
    if isinstance(check.found, str) or isinstance(check.expected, str):
        return ""
    return f"{abs(check.found - check.expected):.1e}"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.8g}"
