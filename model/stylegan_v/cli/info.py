"""info: what a model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.options import Command, typed
from fvd_bench.cli.streams import console, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from stylegan_v.networks.config import ModelConfig


@click.command(cls=Command)
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option("--preset", help="release, paper, middle, small or image.  [default: release]")
@click.option("--resolution", type=int, help="Side of a frame in pixels.  [default: 256]")
@click.option("--frames", type=int, help="That the discriminator looks at.  [default: 3]")
@click.option("--classes", type=click.IntRange(0), help="Length of labels, 0 for none.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(
    checkpoint: Path | None,
    preset: str | None,
    resolution: int | None,
    frames: int | None,
    classes: int | None,
    as_json: bool,
) -> None:
    """Count the parameters of a model: that of a CHECKPOINT, or one of the presets."""
    from stylegan_v.networks.config import model_config

    about: dict[str, Any] = {}  # plain values, see `Checkpoint`
    given = {"resolution": resolution, "frames": frames, "num_classes": classes}
    changes = {name: value for name, value in given.items() if value is not None}
    if checkpoint is None:
        with typed():
            config = model_config(preset or "release", **changes)
    elif preset or changes:
        raise click.UsageError("a checkpoint has its own preset, resolution, frames and classes: give none of them")
    else:
        config, about = _read(checkpoint)
    from stylegan_v.networks.parameter_counts import describe

    described = {**describe(config), **about}
    if as_json:
        import json

        say(json.dumps(described, indent=2), lines=True)
    else:
        console().print(_shown(described))


def _read(file: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Return the model of a checkpoint, and what else the checkpoint says."""
    from stylegan_v.checkpoints.files import check_checkpoint

    check_checkpoint(file)
    from stylegan_v.checkpoints.checkpoint import load

    loaded = load(file)
    parts = sorted({name.partition(".")[0] for name in loaded.tensors})
    return loaded.model, {"fps": loaded.fps, "parts": parts, "run": loaded.run, "state": loaded.state}


def _shown(described: dict[str, Any]) -> RenderableType:
    """Show what a model is, and the parameters of each part of its networks."""
    from rich.console import Group

    from fvd_bench.reports.layout import Column, Grid, Prose

    networks = ("generator", "discriminator")
    size = described["resolution"]
    title = f"{described['preset']}: {size} × {size}, {described['frames']} frames, {described['classes']} classes"
    if "parts" in described:
        title += f", {described['fps']:g} frames per second; holds {', '.join(described['parts'])}"
    parts = dict.fromkeys(part for name in networks for part in described[name])
    blocks = sorted((part for part in parts if part[1:].isdecimal()), key=lambda part: int(part[1:]))
    others = [part for part in parts if part not in (*blocks, "total")]
    rows = []
    for part in (*others, *blocks, "total"):
        counts = [described[name].get(part) for name in networks]
        rows.append([part, *("" if count is None else f"{count:,}" for count in counts)])
    columns = [Column("parameters"), *(Column(name, is_number=True) for name in networks)]
    return Group(Prose(title, style="bold"), Grid(columns, rows))
