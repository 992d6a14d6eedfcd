"""demo: the main job on videos that it makes itself."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import chosen_settings, device_option
from fvd_bench.cli.streams import console, progress, say
from fvd_bench.settings import Device


@click.command(cls=Command)
@click.option("--folder", type=click.Path(path_type=Path), default="fvd-bench-demo", show_default=True,
              help="Where to write the videos.")  # fmt: skip
@device_option
def demo(folder: Path, device: Device) -> None:
    """Make videos of moving shapes, and score worse and worse copies of them."""
    from fvd_bench.evaluation import demo as demonstration
    from fvd_bench.features.distributed import refuse_several
    from fvd_bench.reports import demo as demo_tables

    refuse_several("demo")
    with progress() as show:
        rows = demonstration.run(folder, settings=chosen_settings(device=device), progress=show)
    console().print(demo_tables.demo_table(rows))
    say(rows[0].result.scores[0].signature)
