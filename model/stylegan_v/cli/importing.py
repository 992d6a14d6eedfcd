"""import: a checkpoint of the official code."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.streams import say
from fvd_bench.cli.values import Number
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH


@click.command("import", cls=Command)
@click.argument("file", type=PATH)
@click.option("--out", required=True, type=PATH, help="The checkpoint to write.")
@click.option("--fps", default=25.0, show_default=True, type=Number(0, min_open=True), help="Of the training videos.")
@click.option("--frames", type=int, help="That D looks at; only needed without D in FILE.  [default: 3]")
@click.option("--min-period", type=click.IntRange(1), metavar="FRAMES",
              help="time_enc.min_period_len; only needed without freqs in FILE.  [default: 16]")  # fmt: skip
def import_(file: Path, out: Path, fps: float, frames: int | None, min_period: int | None) -> None:
    """Make a checkpoint of FILE, an export of official tensors.

    FILE is .npz or .safetensors. Official checkpoints are pickles, which run code when they are read; export their
    tensors where the official code runs:

    \b
      import pickle, numpy
      with open("network-snapshot.pkl", "rb") as file:
          networks = pickle.load(file)
      states = {part: networks[part].state_dict() for part in ("G_ema", "G", "D")}
      numpy.savez("export.npz", **{f"{p}.{n}": t.cpu().numpy()
                                   for p, state in states.items() for n, t in state.items()})
    """
    from stylegan_v.checkpoints.files import check_readable
    from stylegan_v.errors import CheckpointError

    check_readable(file)
    if out.exists() and file.exists() and out.samefile(file):
        raise CheckpointError(f"{out} is the export itself; name another file for the checkpoint")
    from stylegan_v.checkpoints.checkpoint import save
    from stylegan_v.checkpoints.official import import_official
    from stylegan_v.networks.config import ModelConfig

    checkpoint = import_official(file, fps=fps, frames=frames, min_period=min_period)
    save(checkpoint, out)
    model = checkpoint.model
    assert isinstance(model, ModelConfig)
    say(
        f"{out}: {model.resolution} × {model.resolution}, {counted(model.frames, 'frame')}, "
        f"{counted(model.num_classes, 'class')}, "
        f"shortest period {model.min_period}; {', '.join(sorted(checkpoint.parts))}"
    )
