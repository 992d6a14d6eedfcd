"""inspect: what is in a set of videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.options import Command, Place, array_options, format_option, protocol_names
from fvd_bench.cli.streams import check_outputs, print_report, progress, stdout_of

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays


@click.command(cls=Command)
@click.argument("path", metavar="PATH", type=Place())
@click.option("--against", type=Place(), help="The other side: what differs, and what is in both.")
@click.option(
    "--protocol",
    multiple=True,
    shell_complete=protocol_names,
    metavar="NAME|FILE",
    help="Check lengths against it, besides the paper's.",
)
@click.option("--json", "json_file", metavar="FILE", help="Write the findings as JSON; - for stdout alone.")
@format_option("json", "csv", "markdown", "latex")
@click.option("--workers", type=click.IntRange(1), help="Decoding threads; one per processor unless given.")
@array_options(path="", against="against-")
def inspect(
    path: str | Path | Arrays,
    against: str | Path | Arrays | None,
    protocol: tuple[str, ...],
    json_file: str | None,
    form: str,
    workers: int | None,
) -> None:
    """Say what is in a folder or archive of videos, and every defect in it."""
    from fvd_bench.inspection.checkup import inspect as look
    from fvd_bench.reports.inspection import checkup_report

    check_outputs(stdout_of(form), json_file)
    with progress() as show:
        checkup = look(path, against, protocol=protocol, workers=workers, progress=show)
    print_report(checkup_report(checkup), form, (json_file, checkup.to_json))
