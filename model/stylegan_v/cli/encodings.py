"""encodings: how encodings of time repeat themselves, and the paper's does not."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.streams import say
from stylegan_v.cli.options import PATH, seed_option


@click.command(cls=Command)
@click.option("--out", required=True, type=PATH, help="A picture that ends in .png or .svg.")
@seed_option
def encodings(out: Path, seed: int) -> None:
    """Show encodings of time, and after how many frames they repeat themselves.

    Periods are spaced exponentially, at random and linearly, all from 8 to 1,024 frames; below them are waves of motion
    codes, raw and stitched.
    """
    from stylegan_v.errors import ModelError

    if out.suffix.lower() not in (".png", ".svg"):
        raise ModelError(f"{out}: expected a file that ends in .png or .svg")
    from stylegan_v.studies import encodings as study

    study.write_figure(out, seed)
    for spacing in study.spacings(seed):
        say(f"{spacing.name}: {len(spacing.periods)} waves, {study.cycle_in_words(spacing)}")
    say(f"wrote {out}")
