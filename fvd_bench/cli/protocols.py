"""protocols: the ways of computing a score."""

from __future__ import annotations

import click

from fvd_bench.cli.options import Commands
from fvd_bench.cli.streams import console


@click.group(cls=Commands)
def protocols() -> None:
    """The ways of computing a score: list and show them."""


@protocols.command("list")
def protocols_list() -> None:
    """Name, version and summary of each protocol that ships with the package."""
    from rich.table import Table
    from rich.text import Text

    from fvd_bench import protocol

    table = Table("protocol", "version", "summary", "digest")
    for name in protocol.names():
        loaded = protocol.load(name)
        table.add_row(*map(Text, [name, str(loaded.version), loaded.summary, loaded.digest()[:12]]))
    console().print(table)


@protocols.command("show")
@click.argument("name", metavar="NAME|FILE")
def protocols_show(name: str) -> None:
    """The file of a protocol, its digest and its signature."""
    from fvd_bench import protocol

    loaded = protocol.load(name)
    click.echo(protocol.text(name))
    click.echo(f"# digest: {loaded.digest()}\n# signature: {loaded.signature()}")
