"""strip: moments of long videos."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Command, typed
from fvd_bench.cli.streams import say
from fvd_bench.cli.values import Number
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH, Device, class_option, device_option, first_option, picture_option, seed_option


@click.command(cls=Command)
@click.argument("checkpoint", type=PATH)
@picture_option
@click.option("--videos", default=4, show_default=True, type=click.IntRange(1), help="How many; a row each.")
@first_option
@click.option("--at", "seconds", multiple=True, type=Number(0, 10**7), metavar="SECONDS",
              help="Time of a column; may be given several times.  [default: 0, 1, 60, 600, 3600]")  # fmt: skip
@seed_option
@class_option
@device_option
def strip(
    checkpoint: Path,
    out: Path,
    videos: int,
    first: int,
    seconds: tuple[float, ...],
    seed: int,
    label: int | None,
    device: Device,
) -> None:
    """Show moments of videos of a CHECKPOINT: at 0 s, 1 s, 1 min, 10 min and 1 h.

    With StyleGAN-V the frame at an hour costs what the first one does, since no frame needs those before it. Recurrent
    methods go through all of these.
    """
    from stylegan_v.checkpoints.files import check_checkpoint

    check_checkpoint(checkpoint)
    from fvd_bench.networks.arithmetic import float32_arithmetic
    from fvd_bench.networks.environment import resolve_device
    from stylegan_v.checkpoints.checkpoint import load
    from stylegan_v.sampling.sampler import VideoSampler
    from stylegan_v.studies import pictures
    from stylegan_v.studies import strip as study

    pictures.check_picture(out)
    loaded = load(checkpoint)
    sampler = VideoSampler(loaded.generator(resolve_device(device)), seed=seed, train_fps=loaded.fps)
    with typed():
        sampler.label(first, label)
    with float32_arithmetic("float32"):
        shown = study.strip(
            sampler, videos=videos, first=first, seconds=seconds or study.SECONDS, label=label, file=out
        )
    pictures.write_picture(out, shown)
    say(
        f"{out}: {counted(videos, 'video')} at "
        f"{', '.join(study.in_units(second) for second in seconds or study.SECONDS)}"
    )
