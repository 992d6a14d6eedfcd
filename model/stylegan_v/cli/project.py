"""project: the content behind images, with other motions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from fvd_bench.cli.command import Command, typed
from fvd_bench.cli.streams import progress, say
from fvd_bench.cli.values import Number
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH, Device, class_option, device_option, folder_option, motions_option, seed_option
from stylegan_v.cli.perceptual import check_perceptual, perceptual_options

if TYPE_CHECKING:
    from stylegan_v.studies.perceptual import PerceptualDistance
    from stylegan_v.studies.projection import Projection


@click.command(cls=Command)
@click.argument("images", nargs=-1, required=True, type=PATH)
@click.option("--checkpoint", required=True, type=PATH, help="Whose generator shows them.")
@folder_option
@click.option("--stride", default=1.0, show_default=True, type=Number(0, min_open=True),
              help="Time from image to image, in frames of the training videos.")  # fmt: skip
@click.option("--motion", default="kept", show_default=True, type=click.Choice(["kept", "optimised"]),
              help="Optimised motion meets the images better and goes less well with other motions.")  # fmt: skip
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(1), help="Of Adam.")
@motions_option
@perceptual_options
@seed_option
@class_option
@device_option
def project(
    images: tuple[Path, ...],
    checkpoint: Path,
    out: Path,
    stride: float,
    motion: Literal["kept", "optimised"],
    steps: int,
    motions: int,
    vgg: Path | None,
    lpips: Path | None,
    seed: int,
    label: int | None,
    device: Device,
) -> None:
    """Find the content that looks like IMAGES, one or several frames of one video in their order.

    The folder gets a sheet and a video of the images, their projection, and its content with other motions; the styles,
    for `stylegan-v edit`; and a report.
    """
    from stylegan_v.checkpoints.files import check_checkpoint, check_readable

    check_perceptual(vgg, lpips)
    check_checkpoint(checkpoint)
    for image in images:
        check_readable(image)
    from fvd_bench.networks.arithmetic import float32_arithmetic
    from fvd_bench.networks.environment import resolve_device
    from stylegan_v.checkpoints.checkpoint import load
    from stylegan_v.networks.generator import Generator
    from stylegan_v.sampling import sheets
    from stylegan_v.sampling.sampler import VideoSampler
    from stylegan_v.studies import content, projection, targets
    from stylegan_v.studies.perceptual import perceptual_distance

    loaded = load(checkpoint)
    generator = loaded.generator_as(Generator, resolve_device(device))
    sampler = VideoSampler(generator, seed=seed, train_fps=loaded.fps)
    with typed():
        vector = sampler.label(0, label)
        sheets.check_grid(1, 2 + motions, generator.config.resolution)
    pixels = targets.read_images(images, generator.config.resolution)
    distance = perceptual_distance(vgg, lpips, sampler.device)
    content.make_folder(out)
    times = [place * stride for place in range(len(pixels))]
    with progress() as show, float32_arithmetic("float32"):
        found = projection.project(
            generator,
            targets.as_tensor(pixels, sampler.device),
            times,
            distance,
            steps=steps,
            motion=motion,
            label=vector,
            seed=seed,
            progress=show,
        )
    names = [image.name for image in images]
    asked = {"images": names, "stride": stride, "motion": motion, "steps": steps, "seed": seed}
    content.write_content(out, found.content, found.learned, _report(found, distance, sampler.digest, asked))
    with float32_arithmetic("float32"):
        rows = {"images": content.held(pixels, times), "projection": found.content.moving(found.noise)}
        rows |= content.with_motions(found.content, seed, range(1, motions + 1))
        content.write_rows(out, rows, loaded.fps)
    say(f"{out}: {counted(len(pixels), 'image')} projected in {counted(steps, 'step')}, with motion {motion}")
    say(f"compared by {distance.words}: the distance went from {found.before:.4f} to {found.after:.4f}")


def _report(
    found: Projection, distance: PerceptualDistance, generator: str, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the report says of a projection, plain values. generator: its digest. asked: the options."""
    return {
        "study": "projection",
        "generator": generator,
        **asked,
        "distance": {"name": distance.name, "weights": dict(distance.digests)},
        "before": found.before,
        "after": found.after,
    }
