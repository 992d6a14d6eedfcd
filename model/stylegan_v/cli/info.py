"""info: what a model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Command, typed
from fvd_bench.cli.streams import console, say
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH, preset_option

if TYPE_CHECKING:
    from rich.console import RenderableType

    from stylegan_v.networks.video_generator import Config


@click.command(cls=Command)
@click.argument("checkpoint", required=False, type=PATH)
@click.option("--method", help="What is trained, see `train`.  [default: stylegan-v]")
@preset_option
@click.option("--resolution", type=int, help="Side of a frame in pixels.  [default: that of the preset]")
@click.option("--frames", type=int, help="That the discriminator looks at.  [default: those of the preset]")
@click.option("--classes", type=click.IntRange(0), help="Length of labels, 0 for none.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(
    checkpoint: Path | None,
    method: str | None,
    preset: str | None,
    resolution: int | None,
    frames: int | None,
    classes: int | None,
    as_json: bool,
) -> None:
    """Count the parameters of a model: that of a CHECKPOINT, or one of the presets of a method."""
    from stylegan_v.baselines import registry

    about: dict[str, Any] = {}  # plain values, see `Checkpoint`
    given = {"resolution": resolution, "frames": frames, "num_classes": classes}
    changes = {name: value for name, value in given.items() if value is not None}
    if checkpoint is None:
        with typed():
            config = registry.method(method or registry.DEFAULT).configure(preset, **changes)
    elif method or preset or changes:
        raise click.UsageError(
            "a checkpoint has its own method, preset, resolution, frames and classes: give none of them"
        )
    else:
        config, about = _read(checkpoint)
    described = {**registry.describe(config), **about}
    if as_json:
        import json

        say(json.dumps(described, indent=2), lines=True)
    else:
        console().print(_shown(described))


def _read(file: Path) -> tuple[Config, dict[str, Any]]:
    """Return the model of a checkpoint, and what else the checkpoint says."""
    from stylegan_v.checkpoints.files import check_checkpoint

    check_checkpoint(file)
    from stylegan_v.checkpoints.checkpoint import load

    loaded = load(file)
    return loaded.model, {"fps": loaded.fps, "parts": sorted(loaded.parts), "run": loaded.run, "state": loaded.state}


def _shown(described: dict[str, Any]) -> RenderableType:
    """Show what a model is, and the parameters of each part of its networks."""
    from rich.console import Group

    from fvd_bench.reports.layout import Column, Grid, Prose

    networks = [name for name, value in described.items() if isinstance(value, dict) and "total" in value]
    size = described["resolution"]
    named = f"{described['method']}, " if "method" in described else ""
    title = (
        f"{named}{described['preset']}: {size} × {size}, {counted(described['frames'], 'frame')}, "
        f"{counted(described['classes'], 'class')}"
    )
    if "longest" in described:
        title += f", at most {described['longest']} frames" if described["longest"] else ", videos of any length"
    if described.get("recurrent"):
        title += f", {described['recurrent']}"
    if "parts" in described:
        title += f", {described['fps']:g} frames per second; holds {', '.join(described['parts'])}"
    parts = dict.fromkeys(part for name in networks for part in described[name])
    blocks = sorted((part for part in parts if part[1:].isdecimal()), key=lambda part: int(part[1:]))
    others = [part for part in parts if part not in (*blocks, "total")]
    rows = []
    for part in (*others, *blocks, "total"):
        counts = [described[name].get(part) for name in networks]
        rows.append([part, *("" if count is None else f"{count:,}" for count in counts)])
    columns = [Column("parameters"), *(Column(name.replace("_", " "), is_number=True) for name in networks)]
    return Group(Prose(title, style="bold"), Grid(columns, rows))
