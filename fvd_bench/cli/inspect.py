"""inspect: what is in a set of videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import array_options, format_option, protocol_names
from fvd_bench.cli.pages import CLIPS_AND_CHARTS, Showing, html_option
from fvd_bench.cli.streams import check_ending, check_outputs, delivery, print_report, progress, stdout_of, write
from fvd_bench.cli.values import Number, Place

if TYPE_CHECKING:
    from fvd_bench.evaluation.details.shown_clips import ShownClip
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
@click.option("--fps", type=Number(0, min_open=True), metavar="N",
              help="Frames a second of videos that have no rate, such as folders of frames.")  # fmt: skip
@click.option("--plot", metavar="FILE", help="Draw how long the videos are: a .png or a .svg.")
@click.option("--json", "json_file", metavar="FILE", help="Write the findings as JSON; - for stdout alone.")
@html_option(CLIPS_AND_CHARTS)
@format_option("json", "csv", "markdown", "latex")
@click.option("--workers", type=click.IntRange(1), help="Decoding threads; one per processor unless given.")
@array_options(path="", against="against-")
def inspect(
    path: str | Path | Arrays,
    against: str | Path | Arrays | None,
    protocol: tuple[str, ...],
    fps: float | None,
    plot: str | None,
    json_file: str | None,
    html_file: str | None,
    form: str,
    workers: int | None,
) -> None:
    """Say what is in a folder or archive of videos, and every defect in it."""
    from fvd_bench.features.distributed import refuse_several

    refuse_several("inspect")
    from fvd_bench.inspection.checkup import inspect as look
    from fvd_bench.reports.charts.canvas import IMAGES

    check_ending("--plot", plot, IMAGES)
    check_outputs(stdout_of(form), json_file, html_file, plot, read=(path, against))
    with progress() as show:
        checkup = look(path, against, protocol=protocol, fps=fps, workers=workers, progress=show)
    from fvd_bench.reports.charts.length_chart import draw_lengths  # after what may be refused at once
    from fvd_bench.reports.inspection import checkup_report
    from fvd_bench.reports.page import checkup_page

    paths = [path] if against is None else [path, against]
    sides = {side.path: given for side, given in zip(checkup.sides, paths, strict=True)}
    page = Showing(html_file).text(lambda _, made: checkup_page(checkup, _clips(sides, workers), made))
    with delivery() as attempt:
        if plot is not None:
            attempt(lambda: write(draw_lengths(checkup.sides, Path(plot).suffix.lower()), plot))
        attempt(lambda: print_report(checkup_report(checkup), form, (json_file, checkup.to_json), page))


def _clips(sides: Mapping[str, str | Path | Arrays], workers: int | None) -> dict[str, list[ShownClip]]:
    """Return the first frames of some videos of each side, by its name."""
    from fvd_bench.evaluation.details.shown_clips import first_frames
    from fvd_bench.processors import processors
    from fvd_bench.sources.opening import open_source

    return {name: first_frames(open_source(path), workers=workers or processors()) for name, path in sides.items()}
