"""generate: videos of a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from fvd_bench.cli.command import Command, typed
from fvd_bench.cli.streams import keeps, progress, say
from fvd_bench.cli.values import Number
from fvd_bench.words import agreeing, counted
from stylegan_v.cli.options import PATH, Device, class_option, device_option, first_option, seed_option
from stylegan_v.methods.settings import Precision


class _Grid(click.ParamType[tuple[int, int]]):
    """Rows and columns, such as 4x6."""

    name = "ROWSxCOLUMNS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", str(value), re.IGNORECASE)
        if not found or not (int(found[1]) and int(found[2])):
            self.fail(f"{value}: expected rows and columns, such as 4x6", param, ctx)
        return int(found[1]), int(found[2])


def _given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


@click.command(cls=Command)
@click.argument("checkpoint", type=PATH)
@click.option("--out", required=True, type=PATH,
              help="Folder of the videos; with --decompose, a file that ends in .mp4 or .webp.")  # fmt: skip
@click.option("--videos", default=16, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--frames", default=16, show_default=True, type=click.IntRange(1), help="Of each video.")
@click.option("--hours", type=Number(0, 10**4, min_open=True), help="Length of each video, instead of --frames.")
@click.option("--fps", type=float, help="Frames per second of motion; those of the training videos unless given.")
@click.option("--start", default=0.0, show_default=True, type=float, help="Time of the first frame, in frames.")
@click.option("--truncation", default=1.0, show_default=True, type=float, help="Below 1: less varied, more usual.")
@seed_option
@first_option
@click.option("--format", "form", default="jpg", show_default=True, type=click.Choice(["jpg", "png", "mp4"]),
              help="Folders of frames, JPEG of quality 95 or PNG; or mp4 files, which are for people.")  # fmt: skip
@class_option
@click.option("--batch-frames", default=16, show_default=True, type=click.IntRange(1), help="Rendered at a time.")
@device_option
@click.option("--precision", default="auto", show_default=True,
              type=click.Choice(["auto", "float32", "float16", "bfloat16"]),
              help="Of the blocks of high resolution; auto: that of the training on CUDA, else float32.")  # fmt: skip
@click.option("--decompose", type=_Grid(), help="One grid instead: rows share motion, columns share content.")
def generate(
    checkpoint: Path,
    out: Path,
    videos: int,
    frames: int,
    hours: float | None,
    fps: float | None,
    start: float,
    truncation: float,
    seed: int,
    first: int,
    form: Literal["mp4", "jpg", "png"],
    label: int | None,
    batch_frames: int,
    device: Device,
    precision: Precision,
    decompose: tuple[int, int] | None,
) -> None:
    """Generate videos of a CHECKPOINT.

    Any video and any stretch of it can be had alone: --first and --start say where to begin, --frames or --hours how
    far to go. With StyleGAN-V the frame at an hour costs what the first one does; recurrent methods go through all
    frames before it. Videos that the folder holds already are not made again, so an interrupted run goes on where it
    was, and --videos may grow. For scores use jpg as the paper does, or png; the codec of mp4 loses more.
    """
    if decompose and (unused := [name for name in ("videos", "form") if _given(name)]):
        option = {"videos": "--videos", "form": "--format"}[unused[0]]
        raise click.UsageError(f"--decompose makes one grid, so {option} says nothing beside it")
    if hours and _given("frames"):
        raise click.UsageError("--hours and --frames both say how long a video is: give one of them")
    from stylegan_v.checkpoints.files import check_checkpoint

    check_checkpoint(checkpoint)
    from fvd_bench.networks.arithmetic import float32_arithmetic
    from fvd_bench.networks.environment import resolve_device
    from stylegan_v.checkpoints.checkpoint import load
    from stylegan_v.sampling import folders, sheets
    from stylegan_v.sampling.sampler import VideoSampler

    loaded = load(checkpoint)
    generator = loaded.generator(resolve_device(device))
    with typed():
        if precision == "auto":
            generator.use_precision_of(loaded.precision)
        else:
            generator.use_precision(precision)
        sampler = VideoSampler(
            generator,
            seed=seed,
            start=start,
            fps=fps,
            train_fps=loaded.fps,
            truncation=truncation,
            batch_frames=batch_frames,
        )
        if hours:
            frames = max(1, round(hours * 3600 * sampler.rate))
        sampler.check(frames, motion_of=first if decompose else None)
        sampler.label(first, label)
    keeps(None if decompose else "finished work is")
    if decompose:
        rows, columns = decompose
        with float32_arithmetic("float32"):
            grid = sheets.decomposition(sampler, rows=rows, columns=columns, frames=frames, first=first, label=label)
            sheets.write_video(out, grid, sampler.rate)
        say(f"{out}: {rows} × {columns} videos of {counted(frames, 'frame')}; rows share motion, columns content")
        return
    with progress() as show, float32_arithmetic("float32"):
        done = folders.generate(
            out, sampler, videos=videos, frames=frames, form=form, first=first, label=label, progress=show
        )
    there = f", and {done.found} {agreeing(done.found, 'were')} there" if done.found else ""
    say(f"{out}: {counted(done.made, 'video')} of {counted(frames, 'frame')} made{there}")
