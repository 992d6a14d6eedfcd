"""report: curves over the checkpoints of a run, over the windows of long videos, and over the frames of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import format_option
from fvd_bench.cli.streams import check_ending, check_outputs, delivery, print_report, stdout_of, utf8, write
from fvd_bench.cli.values import ResultFile

if TYPE_CHECKING:
    from fvd_bench.evaluation.studies.curves import Panel


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="RESULT.json|RUN...", type=ResultFile())
@click.option("--out", metavar="FILE", help="Draw the curves: a .png, a .svg, or a page, .html.")
@format_option("json", "csv", "markdown", "latex")
def report(files: tuple[Path, ...], out: str | None, form: str) -> None:
    """Scores over checkpoints, windows or frames as curves, of results as JSON or of the folders of training runs."""
    from fvd_bench.evaluation.studies.curves import read
    from fvd_bench.paired.result import read_all
    from fvd_bench.reports.curves import FORMS, curves_report
    from fvd_bench.reports.paired import frame_panels, frames_report

    check_ending("--out", out, FORMS)
    check_outputs(stdout_of(form), out)
    paired = read_all(files)
    panels = frame_panels(paired) if paired else read(files)
    with delivery() as attempt:
        if out is not None:
            attempt(lambda: write(_drawn(panels, Path(out).suffix.lower()), out))
        attempt(lambda: print_report(frames_report(paired) if paired else curves_report(panels), form))


def _drawn(panels: Sequence[Panel], form: str) -> bytes:
    """Return the file of a form."""
    if form == ".html":
        from fvd_bench.reports.page import Made, curves_page

        return utf8(curves_page(panels, Made.by("fvd-bench")).html())
    from fvd_bench.reports.curves import draw

    return draw(panels, form)
