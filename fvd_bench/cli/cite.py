"""cite: what a paper says of its scores."""

from __future__ import annotations

import click

from fvd_bench.cli.options import Command, protocol_names
from fvd_bench.cli.streams import say


@click.command(cls=Command)
@click.option("--protocol", default="stylegan-v-fvd16", show_default=True, metavar="NAME|FILE",
              shell_complete=protocol_names, help="The protocol of the scores.")  # fmt: skip
def cite(protocol: str) -> None:
    """A sentence for a paper, with the protocol's digest, and the BibTeX entries that it cites."""
    from fvd_bench.protocols.protocol import load
    from fvd_bench.reports.citation import citation

    say(citation(load(protocol)), lines=True)
