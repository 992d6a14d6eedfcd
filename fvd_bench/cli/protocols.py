"""protocols: the ways of computing a score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.options import Commands, chosen_settings, evaluation_options
from fvd_bench.cli.streams import check_outputs, console, print_scores, progress, say

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays


@click.group(cls=Commands)
def protocols() -> None:
    """The ways of computing a score: list, show, compare and explain them."""


@protocols.command("list")
def protocols_list() -> None:
    """Name, version and summary of each protocol that ships with the package, and which could not be shipped.

    Of several versions the newest comes first and has the plain name; older ones are named NAME@VERSION.
    """
    from rich.table import Table

    from fvd_bench.escapes import cell
    from fvd_bench.protocols import protocol
    from fvd_bench.protocols.differences import ABSENT

    table = Table("protocol", "version", "summary", "digest", "")
    for name in protocol.names():
        newest, *older = protocol.versions(name)
        for version, shown in ((newest, name), *((v, f"{name}@{v}") for v in older)):
            loaded = protocol.load(shown)
            marks = ["superseded"] * (version != newest) + ["not comparable"] * bool(loaded.not_comparable)
            table.add_row(*map(cell, [shown, str(version), loaded.summary, loaded.digest()[:12], ", ".join(marks)]))
    absent = Table("not shipped", "why")
    for name, reason in ABSENT.items():
        absent.add_row(*map(cell, [name, reason]))
    console().print(table, absent)
    say("not comparable: its scores are not those of the codebase that it is named after; `show` says why")
    say("superseded: an older version, kept so that its scores can be made again; `show` says what was wrong")


@protocols.command("show")
@click.argument("name", metavar="NAME|NAME@VERSION|FILE")
def protocols_show(name: str) -> None:
    """The file of a protocol, its digest and its signature, and the digest of each score where it has several."""
    from fvd_bench.protocols import protocol

    loaded = protocol.load(name)
    say(protocol.text(name), lines=True)
    say(f"# digest: {loaded.digest()}")
    say(f"# signature: {loaded.signature()}")
    if len(loaded.metric.names) > 1:
        for metric in loaded.metric.names:
            say(f"# digest of its {metric}: {loaded.alone(metric).digest()}")


@protocols.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
def protocols_diff(a: str, b: str) -> None:
    """The choices in which two protocols differ; A and B are names or files."""
    from rich.table import Table

    from fvd_bench.escapes import cell
    from fvd_bench.protocols import protocol
    from fvd_bench.protocols.differences import differences

    first, second = protocol.read(a), protocol.read(b)  # unlike load, takes a copy that still has its old name
    if first.digest() == second.digest():
        say(f"{a} and {b} compute the same: both have the digest {first.digest()[:12]}")
        return
    found = differences(first, second)
    table = Table("field")
    for name in (a, b):
        table.add_column(cell(name))
    for difference in found:
        table.add_row(*map(cell, [difference.name, *difference.texts]))
    console().print(table)
    if any(difference.idle_in for difference in found):
        say("–: does not matter there")


@protocols.command("explain")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@evaluation_options
def protocols_explain(
    a: str,
    b: str,
    real: str | Path | Arrays,
    fake: str | Path | Arrays,
    repeats: int,
    seed: int,
    json_file: str | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Why A and B score the same videos differently: from A to B, changing one choice at a time."""
    from fvd_bench.evaluation.explain import explain
    from fvd_bench.reports.explain import waterfall_table

    chosen = chosen_settings(**settings)
    check_outputs(json_file)
    with progress() as show:
        waterfall = explain(a, b, real, fake, repeats=repeats, seed=seed, settings=chosen, progress=show)
    ends = waterfall.start, waterfall.end
    warnings = waterfall.result.warnings
    print_scores(lambda: waterfall_table(waterfall), ends, warnings, (json_file, waterfall.to_json))
