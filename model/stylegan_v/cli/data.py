"""data: a training set from videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.options import Command
from fvd_bench.cli.streams import console, progress, say

if TYPE_CHECKING:
    from stylegan_v.data.folder import PrepareSettings
    from stylegan_v.data.preparing import Preparation

_RESOLUTIONS = ("32", "64", "128", "256", "512", "1024")


@click.command(cls=Command)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--resolution", required=True, type=click.Choice(_RESOLUTIONS), help="Side of the frames, in pixels.")
@click.option("--boxes", metavar="FILE", type=click.Path(path_type=Path),
              help="Cut out these squares instead: CSV, video,left,top,right,bottom[,frame], in pixels.")  # fmt: skip
@click.option("--skip", default=0, show_default=True, type=click.IntRange(0), metavar="N",
              help="Frames to leave out at the beginning of each video.")  # fmt: skip
@click.option("--chunk", type=click.IntRange(1), metavar="N",
              help="Cut videos into pieces of N frames; what remains is left out.")  # fmt: skip
@click.option("--quality", default=95, show_default=True, type=click.IntRange(1, 100), help="Of the JPEG files.")
@click.option("--workers", default=4, show_default=True, type=click.IntRange(1), help="Videos read at a time.")
@click.option("--strict", is_flag=True, help="A video that has to be skipped is an error.")
def data(
    source: Path,
    out: Path,
    resolution: str,
    boxes: Path | None,
    skip: int,
    chunk: int | None,
    quality: int,
    workers: int,
    strict: bool,
) -> None:
    """Make a training set in OUT of the videos of SOURCE.

    SOURCE is a folder of videos, of folders of frames, or a zip archive of either. Frames are cropped to the largest
    square in the middle, resized and written as JPEG files, in a folder for each video. An interrupted run goes on
    where it was.
    """
    from stylegan_v.data.folder import PrepareSettings
    from stylegan_v.data.preparing import prepare
    from stylegan_v.errors import DataError

    settings = PrepareSettings(resolution=int(resolution), skip=skip, chunk=chunk, quality=quality)
    with progress() as show:
        done = prepare(source, out, settings, boxes=boxes, workers=workers, progress=show)
    for note in done.notes:
        say(f"stylegan-v: note: {note}", err=True)
    for name, reason in done.skipped:
        say(f"stylegan-v: skipped {name}: {reason}", err=True)
    _print(done, settings)
    if strict and done.skipped:
        raise DataError(f"{len(done.skipped)} videos of {source} had to be skipped, and --strict was asked for")


def _print(done: Preparation, settings: PrepareSettings) -> None:
    from rich.table import Table

    used = [record for record in done.records if record.pieces]
    rows = {
        "videos used": len(used),
        "… prepared by an earlier run": done.kept,
        "… smaller than the frames and scaled up": sum(record.enlarged for record in used),
        "videos skipped": len(done.skipped),
        "folders": sum(record.pieces for record in used),
        "frames": sum(record.frames for record in used),
        "… with errors in the stream": sum(record.damaged for record in used),
        "frames left out, at the beginning of videos": settings.skip * len(used),
        "frames left out, too few for a piece": sum(record.left_over for record in done.records),
    }
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for what, count in rows.items():
        table.add_row(what, f"{count:,}")
    console().print(table)
