"""data: a training set from videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.streams import console, keeps, progress, remark
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH
from stylegan_v.networks.config import RESOLUTIONS

if TYPE_CHECKING:
    from stylegan_v.data.folder import PrepareSettings
    from stylegan_v.data.preparing import Preparation

_DATASETS = ("ffs", "sky_timelapse", "ucf101", "rainbow_jelly", "mead")


@click.command(cls=Command)
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option("--dataset", type=click.Choice(_DATASETS),
              help="SOURCE is this set of the paper, as it is published: use what the paper uses.")  # fmt: skip
@click.option("--resolution", type=click.Choice([*map(str, RESOLUTIONS)]),
              help="Side of the frames, in pixels; needed without --dataset.")  # fmt: skip
@click.option("--boxes", metavar="FILE", type=PATH,
              help="Cut out these squares instead: CSV, video,left,top,right,bottom[,frame], in pixels.")  # fmt: skip
@click.option("--skip", type=click.IntRange(0), metavar="N",
              help="Frames to leave out at the beginning of each video; none unless given, or of the set.")  # fmt: skip
@click.option("--chunk", type=click.IntRange(1), metavar="N",
              help="Cut videos into pieces of N frames; what remains is left out.")  # fmt: skip
@click.option("--quality", default=95, show_default=True, type=click.IntRange(1, 100), help="Of the JPEG files.")
@click.option("--workers", default=4, show_default=True, type=click.IntRange(1), help="Videos read at a time.")
@click.option("--strict", is_flag=True, help="A video that has to be skipped is an error.")
def data(
    source: Path,
    out: Path,
    dataset: str | None,
    resolution: str | None,
    boxes: Path | None,
    skip: int | None,
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
    from stylegan_v.data.datasets import DATASETS
    from stylegan_v.data.folder import PrepareSettings
    from stylegan_v.data.preparing import prepare
    from stylegan_v.errors import DataError

    known = DATASETS[dataset] if dataset else None
    side = int(resolution) if resolution else known.resolution if known else None
    if side is None:
        raise click.UsageError("neither --resolution nor --dataset is given: expected the side of the frames, or a set")
    if known is not None:
        skip = known.skip if skip is None else skip
        chunk = known.chunk if chunk is None else chunk
    settings = PrepareSettings(resolution=side, skip=skip or 0, chunk=chunk, quality=quality)
    keeps("finished work is")
    with progress() as show:
        done = prepare(source, out, settings, dataset=known, boxes=boxes, workers=workers, progress=show)
    for note in done.notes:
        remark(f"stylegan-v: note: {note}")
    for name, reason in done.skipped:
        remark(f"stylegan-v: skipped {name}: {reason}")
    _print(done, settings)
    if strict and done.skipped:
        raise DataError(
            f"{counted(len(done.skipped), 'video')} of {source} had to be skipped, and --strict was asked for"
        )


def _print(done: Preparation, settings: PrepareSettings) -> None:
    from fvd_bench.reports.layout import Column, Grid

    used = [record for record in done.records if record.pieces]
    counts = {
        "videos used": len(used),
        "  of these prepared by an earlier run": done.kept,
        "  of these smaller than the frames and scaled up": sum(record.enlarged for record in used),
        "videos skipped": len(done.skipped),
        "folders": sum(record.pieces for record in used),
        "frames": sum(record.frames for record in used),
        "  of these with errors in the stream": sum(record.damaged for record in used),
        "frames left out, at the beginning of videos": settings.skip * len(used),
        "frames left out, too few for a piece": sum(record.left_over for record in done.records),
    }
    rows = [[what, f"{count:,}"] for what, count in counts.items()]
    console().print(Grid([Column(""), Column("", is_number=True)], rows))
