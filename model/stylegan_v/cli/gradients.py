"""gradients: what a generator learns from two kinds of discriminators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import array_options
from fvd_bench.cli.streams import check_outputs, say
from fvd_bench.cli.values import Place
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH, Device, device_option, picture_option, seed_option

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays
    from stylegan_v.checkpoints.checkpoint import Checkpoint
    from stylegan_v.networks.config import ModelConfig
    from stylegan_v.networks.discriminator import Discriminator
    from stylegan_v.studies.discriminator_pair import Pair


@click.command(cls=Command)
@click.argument("checkpoint", type=PATH)
@click.option("--real", required=True, type=Place(), help="Real videos, which the loss of the pair compares with.")
@picture_option
@click.option("--videos", default=4, show_default=True, type=click.IntRange(1, 64), help="Three rows each.")
@click.option("--pair", "pair_file", type=PATH,
              help="A checkpoint of mocogan-hd, which has the pair; untrained unless given.")  # fmt: skip
@seed_option
@device_option
@array_options(real="real-")
def gradients(
    checkpoint: Path,
    real: str | Path | Arrays,
    out: Path,
    videos: int,
    pair_file: Path | None,
    seed: int,
    device: Device,
) -> None:
    """Show the gradients that reach the frames of a CHECKPOINT's generator.

    One comes from our discriminator, the other from MoCoGAN-HD's pair, which sees images and clips. A checkpoint for
    sampling has no discriminator; ours is then an untrained one.
    """
    from stylegan_v.checkpoints.files import check_checkpoint

    check_checkpoint(checkpoint)
    if pair_file is not None:
        check_checkpoint(pair_file)
    from fvd_bench.networks.arithmetic import float32_arithmetic
    from fvd_bench.networks.environment import resolve_device
    from fvd_bench.sources import open_source
    from stylegan_v.checkpoints.checkpoint import load
    from stylegan_v.networks.generator import Generator
    from stylegan_v.studies import gradients as study
    from stylegan_v.studies import pictures

    pictures.check_picture(out)
    check_outputs(str(out), read=(real, checkpoint, pair_file))
    loaded = load(checkpoint)
    place = resolve_device(device)
    generator = loaded.generator_as(Generator, place)
    if videos % (group := min(videos, generator.config.std_group)):
        raise click.UsageError(
            f"--videos {videos}: our discriminator looks at {group} at a time: give a multiple of {group}, or fewer"
        )
    discriminator, ours = _ours(loaded, generator.config, seed)
    pair, theirs = _pair(pair_file, seed)
    clips = study.real_clips(open_source(real), videos, generator.config.resolution).to(place)
    with float32_arithmetic("float32"):
        found = study.gradients(generator, discriminator.to(place), pair.to(place), clips, videos=videos, seed=seed)
    pictures.write_picture(out, found.picture())
    say(f"{out}: gradients of each discriminator's loss for the generator by the frames of {counted(videos, 'video')}")
    for name, what in (("ours", f"our discriminator, {ours}"), ("pair", f"the pair of MoCoGAN-HD, {theirs}")):
        sizes = ", ".join(f"{size:.2e}" for size in found.sizes()[name])
        say(f"{what}: root mean squares {sizes} at t = {', '.join(map(str, study.TIMES))}")
    say("each picture is scaled by itself: it tells where a gradient is, and not how large it is")


def _ours(loaded: Checkpoint, config: ModelConfig, seed: int) -> tuple[Discriminator, str]:
    from stylegan_v.baselines import registry
    from stylegan_v.errors import CheckpointError
    from stylegan_v.methods.checkpoint_parts import load_part
    from stylegan_v.networks.discriminator import Discriminator, build_discriminator

    network = build_discriminator(config, seed=seed)
    trained = "discriminator" in loaded.parts
    if trained:
        if registry.method(config.method).makers()["discriminator"] is not Discriminator:
            raise CheckpointError(
                f"the checkpoint is one of {config.method}, whose discriminators are others than ours; expected one of "
                f"{registry.DEFAULT}, or one for sampling"
            )
        load_part(network, loaded.part("discriminator"), "discriminator")
    return network, f"{'trained' if trained else 'untrained'}, {config.frames} of these frames at a time"


def _pair(file: Path | None, seed: int) -> tuple[Pair, str]:
    from stylegan_v.studies.discriminator_pair import CLIP_FRAMES, build_pair, load_pair

    network = build_pair(seed=seed) if file is None else load_pair(file)
    return network, f"{'untrained' if file is None else 'trained'}, {CLIP_FRAMES} consecutive frames"
