"""Published numbers and what was found here, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fvd_bench.escapes import cell

if TYPE_CHECKING:
    from fvd_bench.evaluation.selftest import Check


def checks_text(checks: Sequence[Check]) -> RenderableType:
    """Say what is known of each published number that is not reproduced, and how many are."""
    failed = [check for check in checks if not check.ok]
    lines = [cell(f"FAILED {check.name}: {_difference(check)} ({check.origin})") for check in failed]
    return Group(*lines, Text(f"{len(checks) - len(failed)} of {len(checks)} published numbers are reproduced"))


def checks_table(checks: Sequence[Check]) -> RenderableType:
    """Show each published number and what was found, in a table for each place where they were published."""
    tables: dict[str, Table] = {}
    for check in checks:
        if check.origin not in tables:
            tables[check.origin] = table = Table("check", title=cell(check.origin), title_justify="left")
            for heading in ("published", "found", "off by", "allowed", ""):
                table.add_column(heading, justify="right", no_wrap=True)
        numbers = [_number(value) for value in (check.expected, check.found)]
        row = [check.name, *numbers, _gap(check), f"{check.tolerance:.0e}", "ok" if check.ok else "FAILED"]
        tables[check.origin].add_row(*map(cell, row))
    return Group(*tables.values())


def checks_json(checks: Sequence[Check]) -> str:
    """Write the checks as a JSON list."""
    return json.dumps([{**asdict(check), "ok": check.ok} for check in checks], indent=2) + "\n"


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
