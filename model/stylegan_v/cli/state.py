"""state: the state of a training in pieces, to be taken elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Command, Commands
from fvd_bench.cli.streams import say
from fvd_bench.words import counted
from stylegan_v.cli.options import PATH


@click.group(cls=Commands)
def state() -> None:
    """Take the state of a training to another machine, in pieces that are small enough to be sent."""


@state.command(cls=Command)
@click.argument("run", type=PATH)
@click.argument("pieces", type=PATH)
def split(run: Path, pieces: Path) -> None:
    """Write the last state of a RUN to the new folder PIECES, in files of at most 15 MiB.

    The copy is abridged: networks in half precision, and nothing of the optimisers, which find their state again
    within some hundred steps. So training that goes on from it does as well, but not the same.
    """
    from stylegan_v.training.state_pieces import split as write

    count = write(run, pieces)
    say(f"{pieces}: {counted(count, 'piece')} and state.json")


@state.command(cls=Command)
@click.argument("pieces", type=PATH)
@click.argument("run", type=PATH)
def join(pieces: Path, run: Path) -> None:
    """Make the folder of a RUN of its state in PIECES; `train --out RUN --data PATH` goes on from there."""
    from stylegan_v.training.state_pieces import join as read

    found = read(pieces, run)
    say(f"{run}: {(found.state or {}).get('kimg', 0):.2f} kimg")
