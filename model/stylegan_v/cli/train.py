"""train: a generator from videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Command, typed
from fvd_bench.cli.streams import be_quiet, hushed, keeps, remark
from fvd_bench.cli.values import Number
from stylegan_v.cli.options import PATH, Device, device_option, preset_option
from stylegan_v.cli.progress import training_progress

if TYPE_CHECKING:
    from stylegan_v.checkpoints.checkpoint import Checkpoint
    from stylegan_v.training.run import Run


_SECTIONS = {
    "model": ("method", "preset", "resolution", "frames"),
    "data": ("path",),
    "train": ("kimg", "batch", "micro_batch", "seed", "precision"),
    "report": ("tick_kimg", "snapshot_kimg", "fvd_kimg", "fvd_videos"),
}
"""Section of a run -> its settings that are options."""


@click.command(cls=Command)
@click.option("--config", metavar="NAME|FILE", help="A run to start from: a TOML file, or one that ships.")
@click.option(
    "--from", "checkpoint", type=PATH, help="Begin with the networks of this checkpoint, such as an imported one."
)
@click.option("--ablation", metavar="NAME", help="A row of the paper's Table 2 or 3, see `ablations`.")
@click.option("--data", "path", metavar="PATH", help="Folder or archive of training videos.")
@click.option("--out", required=True, type=PATH, help="Folder of the run.")
@click.option("--method", help="What to train: stylegan-v, or what the paper compares it with (docs/methods.md).")
@preset_option
@click.option("--resolution", type=int, help="Side of a frame in pixels.")
@click.option("--frames", type=int, help="Frames per clip that the discriminator sees.")
@click.option("--kimg", type=float, help="Thousands of frames to train on.  [default: 25000, or the preset's own]")
@click.option("--batch", type=int, help="Videos per step, over all processes.")
@click.option("--micro-batch", type=int, help="Videos at a time in one process.")
@click.option("--seed", type=int, help="Of everything random.")
@click.option("--precision", help="auto, float32, float16 or bfloat16.")
@click.option("--tick-kimg", type=float, help="Thousands of frames between lines of the log.")
@click.option("--snapshot-kimg", type=float, help="Thousands of frames between checkpoints.")
@click.option("--fvd-kimg", type=float, help="Thousands of frames between scores; 0 for none.")
@click.option("--fvd-videos", type=int, help="Generated videos per score.")
@click.option("--stage", help="Of a method that has several: train it alone.  [default: one after the other]")
@click.option("--minutes", type=Number(0), help="Stop after these; the same command goes on.")
@device_option
@click.option("--workers", default=4, show_default=True, type=click.IntRange(1), help="Threads that read videos.")
def train(
    config: str | None,
    checkpoint: Path | None,
    ablation: str | None,
    path: str | None,
    out: Path,
    stage: str | None,
    minutes: float | None,
    device: Device,
    workers: int,
    **changes: Any,  # the other options, by the names of the settings that they change
) -> None:
    """Train a generator. The same command again goes on where it was; torchrun starts it on several GPUs."""
    from fvd_bench.features.distributed import is_first
    from fvd_bench.networks.environment import resolve_device
    from fvd_bench.paths import user_path
    from fvd_bench.sources.opening import open_source

    if not is_first():
        be_quiet()
    changes["path"] = path
    given = {s: {n: changes[n] for n in names if changes[n] is not None} for s, names in _SECTIONS.items()}
    run, begin = _run(config, ablation, checkpoint, given, out)
    if stage is not None:
        with typed():
            run.method.stage(stage)
    if not run.data.path:
        raise click.UsageError("no training videos are named: pass --data PATH, or data.path in the run's file")
    if not user_path(run.data.path).exists():
        open_source(run.data.path)  # says so, or that it is no path
    from stylegan_v.training.loop import train as run_training

    keeps("finished work is")
    with hushed(), training_progress() as (show, told):
        done = run_training(
            run,
            out,
            device=resolve_device(device),
            workers=workers,
            minutes=minutes,
            progress=show,
            stage=stage,
            begin=begin,
            told=told,
        )
    frames, total = round(done * 1000), run.total_frames
    remark(f"{out}: trained on {frames:,}{f' of {total:,}' if frames <= total else ''} frames")


def _run(
    config: str | None, ablation: str | None, checkpoint: Path | None, given: dict[str, dict[str, Any]], out: Path
) -> tuple[Run, Checkpoint | None]:
    """Return the run that the options describe, and the checkpoint that it begins with, if it does. given: the values
    that were typed, by section."""
    from stylegan_v.checkpoints.files import LAST
    from stylegan_v.training import ablations, run_folder
    from stylegan_v.training.run import load_run

    if run_folder.restore(out):
        remark(f"{out / run_folder.SETTINGS} was gone, and is written anew from the settings in the checkpoint")
    source = config
    if source is None and ablation is None and (out / run_folder.SETTINGS).exists():  # which may be of another ablation
        source = str(out / run_folder.SETTINGS)
    load_run(source, {})  # first alone: what is wrong with the file was not typed here
    begin = None
    if checkpoint is not None and not (out / LAST).exists():  # a run that has begun goes on from its own
        from stylegan_v.checkpoints.checkpoint import load
        from stylegan_v.training.beginning import run_from

        begin = load(checkpoint)
    with typed():
        if ablation is not None:
            given = ablations.ablation(ablation).joined(given)
        return load_run(source, given) if begin is None else run_from(begin, source, given), begin
