"""strip: moments of long videos."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from fvd_bench.cli.options import Command
from fvd_bench.cli.streams import say


@click.command(cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A picture that ends in .png or .jpg.")
@click.option("--videos", default=4, show_default=True, type=click.IntRange(1), help="How many; a row each.")
@click.option("--first", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1),
              help="Number of the first video.")  # fmt: skip
@click.option("--at", "seconds", multiple=True, type=click.FloatRange(0, 10**7), metavar="SECONDS",
              help="Time of a column; may be given several times.  [default: 0, 1, 60, 600, 3600]")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1))
@click.option("--class", "label", type=click.IntRange(0), help="Class of all videos; drawn for each unless given.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
def strip(
    checkpoint: Path,
    out: Path,
    videos: int,
    first: int,
    seconds: tuple[float, ...],
    seed: int,
    label: int | None,
    device: Literal["auto", "cpu", "cuda"],
) -> None:
    """Show moments of videos of a CHECKPOINT: at 0 s, 1 s, 1 min, 10 min and 1 h.

    The frame at an hour costs what the first one does, since no frame needs those before it.
    """
    from stylegan_v.checkpoints.files import check_checkpoint

    check_checkpoint(checkpoint)
    from fvd_bench.networks.arithmetic import float32_arithmetic
    from fvd_bench.networks.environment import resolve_device
    from stylegan_v.checkpoints.checkpoint import load
    from stylegan_v.sampling.videos import VideoSampler
    from stylegan_v.studies import pictures
    from stylegan_v.studies import strip as study

    pictures.check_picture(out)
    loaded = load(checkpoint)
    sampler = VideoSampler(loaded.generator(resolve_device(device)), seed=seed, train_fps=loaded.fps)
    with float32_arithmetic("float32"):
        shown = study.strip(sampler, videos=videos, first=first, seconds=seconds or study.SECONDS, label=label)
    pictures.write_picture(out, shown)
    say(f"{out}: {videos} videos at {', '.join(study.in_units(second) for second in seconds or study.SECONDS)}")
