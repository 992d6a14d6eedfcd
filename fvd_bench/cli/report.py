"""report: curves over the checkpoints of a run, and over the windows of long videos."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.options import Command, format_option
from fvd_bench.cli.streams import check_outputs, delivery, print_report, stdout_of, write


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="RESULT.json|RUN...", type=click.Path(path_type=Path))
@click.option("--out", metavar="FILE", help="Draw the curves: a .png, a .svg, or a page, .html.")
@format_option("json", "csv", "markdown", "latex")
def report(files: tuple[Path, ...], out: str | None, form: str) -> None:
    """Scores over checkpoints and windows as curves, of results as JSON or of the folders of training runs."""
    from fvd_bench.evaluation.curves import read
    from fvd_bench.reports.curves import FORMS, curves_report, draw

    if out is not None and Path(out).suffix.lower() not in FORMS:
        raise click.UsageError(f"--out {out}: expected a file that ends in {', '.join(FORMS)}")
    check_outputs(stdout_of(form), out)
    panels = read(files)
    with delivery() as attempt:
        if out is not None:
            attempt(lambda: write(draw(panels, Path(out).suffix.lower()), out))
        attempt(lambda: print_report(curves_report(panels), form))
