"""edit: a content changed until it goes with a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fvd_bench.cli.command import Command, typed
from fvd_bench.cli.streams import progress, say
from fvd_bench.cli.values import Number
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH, Device, class_option, device_option, folder_option, motions_option, seed_option
from stylegan_v.cli.perceptual import check_perceptual, perceptual_options

if TYPE_CHECKING:
    from torch import Tensor

    from stylegan_v.networks.generator import Generator
    from stylegan_v.studies.content import Content
    from stylegan_v.studies.editing import Edit, Kept


@click.command(cls=Command)
@click.argument("checkpoint", type=PATH)
@click.option("--text", required=True, help="What the frames should show.")
@click.option("--clip", required=True, type=PATH,
              help="Weights of CLIP: a .safetensors file or a state dict of open_clip.")  # fmt: skip
@click.option("--clip-model", default="ViT-B-32-quickgelu", show_default=True, help="Which of open_clip's models.")
@folder_option
@click.option("--video", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Whose content to edit.")
@click.option("--projection", type=PATH, help="A folder of `project` or `edit`, to edit that.")
@click.option("--steps", default=300, show_default=True, type=click.IntRange(1), help="Of Adam.")
@click.option("--pull", default=0.008, show_default=True, type=Number(0),
              help="Weight of the squared distance from the content as it was.")  # fmt: skip
@click.option("--keep", type=PATH, help="An image, white where frames should stay as they are.")
@motions_option
@perceptual_options
@seed_option
@class_option
@device_option
def edit(
    checkpoint: Path,
    text: str,
    clip: Path,
    clip_model: str,
    out: Path,
    video: int,
    projection: Path | None,
    steps: int,
    pull: float,
    keep: Path | None,
    motions: int,
    vgg: Path | None,
    lpips: Path | None,
    seed: int,
    label: int | None,
    device: Device,
) -> None:
    """Edit the content of a video of a CHECKPOINT by a text, with CLIP.

    Edited is a generated video, or a projected image. The folder gets a sheet and a video of the content as it was,
    edited, and with other motions; the styles, to be edited again; and a report.
    """
    _check(checkpoint, clip, projection, keep, vgg, lpips)
    from fvd_bench.networks.arithmetic import float32_arithmetic
    from fvd_bench.networks.environment import resolve_device
    from stylegan_v.checkpoints.checkpoint import load
    from stylegan_v.networks.generator import Generator
    from stylegan_v.sampling import sheets
    from stylegan_v.sampling.sampler import VideoSampler
    from stylegan_v.studies import clip as clips
    from stylegan_v.studies import content as contents
    from stylegan_v.studies import editing

    loaded = load(checkpoint)
    generator = loaded.generator_as(Generator, resolve_device(device))
    sampler = VideoSampler(generator, seed=seed, train_fps=loaded.fps)
    clips.check_package()
    with typed():
        vector = sampler.label(video, label)
        sheets.check_grid(1, 2 + motions, generator.config.resolution)
        clips.settings_of(clip_model)
    score = clips.text_score(text, clip, clip_model, sampler.device)
    kept = None if keep is None else _kept(keep, generator, vgg, lpips)
    if projection is None:
        begun = contents.of_video(generator, seed, video, vector)
    else:
        begun = _projected(projection, generator, sampler.digest, vector, anew=label is not None)
    contents.make_folder(out)
    with progress() as show, float32_arithmetic("float32"):
        found = editing.edit(begun, score, steps=steps, pull=pull, kept=kept, seed=seed, progress=show)
    shown = video if projection is None else None
    asked = {"text": text, "clip": clip_model, "video": shown, "steps": steps, "pull": pull, "seed": seed}
    contents.write_content(out, found.content, None, _report(found, kept, sampler.digest, asked))
    with float32_arithmetic("float32"):
        own = contents.motion(generator, seed, video)
        rows = {"before": begun.moving(own), "edited": found.content.moving(own)}
        rows |= contents.with_motions(found.content, seed, range(video + 1, video + motions + 1))
        contents.write_rows(out, rows, loaded.fps)
    say(
        f"{out}: {text!r} in {counted(steps, 'step')}; the similarity went from {found.before:.4f} to {found.after:.4f}"
    )
    if kept is not None:
        say(f"what was to be kept: compared by {kept.distance.words}")


def _check(
    checkpoint: Path, clip: Path, projection: Path | None, keep: Path | None, vgg: Path | None, lpips: Path | None
) -> None:
    """Raise UsageError for options that exclude or need each other, and CheckpointError for files that cannot be read,
    before any of them is loaded."""
    from stylegan_v.checkpoints.files import check_checkpoint, check_readable

    source = click.get_current_context().get_parameter_source("video")
    if projection is not None and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("--video and --projection both say whose content to edit: give one of them")
    if keep is None and vgg is not None:
        raise click.UsageError("--vgg and --lpips compare what --keep names: give --keep as well, or none of them")
    check_perceptual(vgg, lpips)
    check_checkpoint(checkpoint)
    for file in (clip, keep):
        if file is not None:
            check_readable(file)


def _report(found: Edit, kept: Kept | None, generator: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the report says of an edit, plain values. generator: its digest. asked: the options."""
    return {
        "study": "editing",
        "generator": generator,
        **asked,
        "keep": None if kept is None else {"name": kept.distance.name, "weights": dict(kept.distance.digests)},
        "before": found.before,
        "after": found.after,
    }


def _projected(folder: Path, generator: Generator, digest: str, label: Tensor | None, *, anew: bool) -> Content:
    """Return the content in a folder, with a label where it has none, or anew. digest: of the generator."""
    from stylegan_v.studies.content import read_content

    content = read_content(folder, generator, digest)
    return replace(content, label=label) if anew or content.label is None else content


def _kept(image: Path, generator: Generator, vgg: Path | None, lpips: Path | None) -> Kept:
    """Return where frames should stay as they are, which an image shows white, and what compares them there."""
    from stylegan_v.studies import editing, targets
    from stylegan_v.studies.perceptual import perceptual_distance

    device = generator.mapping.w_mean.device
    pixels = targets.read_images([image], generator.config.resolution)
    mask = (targets.as_tensor(pixels, device)[0].mean(dim=0) > 0).float()
    return editing.Kept(mask, perceptual_distance(vgg, lpips, device))
