"""inspect: what is in a set of videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.options import Command, Place, array_options, format_option, protocol_names
from fvd_bench.cli.pages import Showing, html_option
from fvd_bench.cli.streams import check_outputs, print_report, progress, stdout_of

if TYPE_CHECKING:
    from fvd_bench.evaluation.shown_clips import ShownClip
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
@html_option
@format_option("json", "csv", "markdown", "latex")
@click.option("--workers", type=click.IntRange(1), help="Decoding threads; one per processor unless given.")
@array_options(path="", against="against-")
def inspect(
    path: str | Path | Arrays,
    against: str | Path | Arrays | None,
    protocol: tuple[str, ...],
    json_file: str | None,
    html_file: str | None,
    form: str,
    workers: int | None,
) -> None:
    """Say what is in a folder or archive of videos, and every defect in it."""
    from fvd_bench.inspection.checkup import inspect as look

    check_outputs(stdout_of(form), json_file, html_file)
    with progress() as show:
        checkup = look(path, against, protocol=protocol, workers=workers, progress=show)
    from fvd_bench.reports.inspection import checkup_report  # after what may be refused at once
    from fvd_bench.reports.page import checkup_page

    paths = [path] if against is None else [path, against]
    sides = {side.path: given for side, given in zip(checkup.sides, paths, strict=True)}
    page = Showing(html_file).text(lambda _, made: checkup_page(checkup, _clips(sides, workers), made))
    print_report(checkup_report(checkup), form, (json_file, checkup.to_json), page)


def _clips(sides: Mapping[str, str | Path | Arrays], workers: int | None) -> dict[str, list[ShownClip]]:
    """Return the first frames of some videos of each side, by its name."""
    from fvd_bench.evaluation.shown_clips import first_frames
    from fvd_bench.processors import processors
    from fvd_bench.sources.opening import open_source

    return {name: first_frames(open_source(path), workers=workers or processors()) for name, path in sides.items()}
