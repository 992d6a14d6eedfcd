"""Progress of a training on stderr: a bar for what is read or scored, and one for the frames that are trained on."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fvd_bench.cli.streams import is_quiet, progress, say
from fvd_bench.cli.terminal import plain
from fvd_bench.escapes import escaped
from fvd_bench.words import duration

if TYPE_CHECKING:
    from stylegan_v.training.pace import Pace

_QUIET_SECONDS = 60.0
"""Seconds between lines about the pace where stderr is no terminal."""

_TRAINING = "training"

Shown = tuple[Callable[[str, int, int], None], Callable[["Pace"], None]]
"""What is told of work that has a number of parts, and what is told of the pace of the training."""


@contextlib.contextmanager
def training_progress() -> Iterator[Shown]:
    """Show how far work and training are, or nothing where the command is quiet."""
    shown = not is_quiet()
    if not shown or not sys.stderr.isatty():
        with progress(shown=shown) as show:
            yield show, _pace_lines() if shown else lambda pace: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[at]}"), BarColumn(None))
    console = Console(file=plain(sys.stderr))
    with Progress(*columns, console=console, expand=True, transient=True) as bars:  # the bar has what the text leaves
        tasks = {_TRAINING: bars.add_task(_TRAINING, visible=False, at="")}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(escaped(what), total=None, at="")
            at, going_on = (f"{done} of {total}", done < total) if total else (str(done), True)
            bars.update(tasks[what], completed=done, total=total or None, at=at, visible=going_on)

        def told(pace: Pace) -> None:
            bars.update(tasks[_TRAINING], completed=pace.frames, total=pace.total, at=_standing(pace), visible=True)

        yield show, told


def _pace_lines() -> Callable[[Pace], None]:
    last: float | None = None

    def told(pace: Pace) -> None:
        nonlocal last
        if pace.seconds_left is not None and (last is None or time.monotonic() - last > _QUIET_SECONDS):
            last = time.monotonic()
            say(f"{_TRAINING}: {_standing(pace)}", err=True)

    return told


def _standing(pace: Pace) -> str:
    from stylegan_v.training.pace import in_seconds

    frames = f"{pace.frames:,} of {pace.total:,} frames"
    if pace.seconds_left is None or pace.seconds_per_kimg is None:
        return frames
    over = "over" if pace.unmeasured else "about"  # what scores take is not known before the first one
    return f"{frames}, {in_seconds(pace.seconds_per_kimg)} s/1,000, {over} {duration(pace.seconds_left)} left"
