"""cite: what a paper says of its scores."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import protocol_names
from fvd_bench.cli.streams import say
from fvd_bench.cli.values import ResultFile

_PROTOCOL = "stylegan-v-fvd16"


@click.command(cls=Command)
@click.argument("result", required=False, metavar="[RESULT.json]", type=ResultFile())
@click.option("--protocol", metavar="NAME|FILE", shell_complete=protocol_names,
              help=f"The protocol of scores that are not at hand.  [default: {_PROTOCOL}]")  # fmt: skip
def cite(result: Path | None, protocol: str | None) -> None:
    """What a paper should report of a result: a sentence, the same in LaTeX, and the BibTeX entries that it cites.

    Without a result, a sentence about its protocol.
    """
    from fvd_bench.reports.citation import citation, result_citation

    if result is None:
        from fvd_bench.protocols.protocol import load

        say(citation(load(protocol or _PROTOCOL)), lines=True)
        return
    if protocol:
        raise click.UsageError("a result names its protocols: leave out --protocol")
    from fvd_bench.evaluation.comparisons.ranking import Ranking
    from fvd_bench.evaluation.comparisons.result_files import read

    found = read(result)
    say(result_citation(found.results if isinstance(found, Ranking) else {"": found}), lines=True)
