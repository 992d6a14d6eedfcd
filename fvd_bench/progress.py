"""Progress: what is being done and how far it is, shown where somebody looks, on a terminal or in a notebook."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from fvd_bench.escapes import escaped, in_html

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

Progress = Callable[[str, int, int], None]
"""A function that shows progress: it is called with what is being done, how much is done, and how much there is."""

_NOTEBOOK_SECONDS = 0.2
"""Least time between two updates of a notebook, which are messages that its file may keep."""


def labelled(progress: Progress, what: str) -> Callable[[int, int], None]:
    """Return a function of how much is done, and how much there is, for one thing that is being done."""
    return lambda done, total: progress(what, done, total)


def fetching(progress: Progress, what: str) -> Callable[[int, int | None], None]:
    """Return a function of how many bytes of one thing were fetched, and of how many there are, None where that is not
    known."""
    return lambda done, total: progress(f"fetching {what}, MiB", done // 2**20, (total or 0) // 2**20)


def silent(what: str, done: int, total: int) -> None:
    """A Progress that shows nothing."""


@contextlib.contextmanager
def shown(progress: Progress | bool, *, first: bool) -> Iterator[Progress]:
    """Show progress by a function, or, where that is True, by bars on a terminal and in a notebook. In a log, and where
    it is False, nothing is shown. first: whether this process speaks for all of its run; bars are shown by that one."""
    if not isinstance(progress, bool):
        yield progress
    elif progress and first and _is_notebook():
        with _notebook_bars() as show:
            yield show
    elif progress and first and sys.stderr is not None and sys.stderr.isatty():
        with bars(sys.stderr) as show:
            yield show
    else:
        yield silent


@contextlib.contextmanager
def bars(terminal: TextIO) -> Iterator[Progress]:
    """Show a bar on a terminal for each thing that is being done, and clear them at the end.

    Bars begin with the first thing that is told, since loading and drawing them takes longer than most mistakes do.
    """
    with contextlib.ExitStack() as stack:
        drawn: Bars | None = None
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            nonlocal drawn
            if drawn is None:
                drawn = stack.enter_context(_bars(terminal))
            if what not in tasks:
                tasks[what] = drawn.add_task(escaped(what), total=None)
            drawn.update(tasks[what], completed=done, total=total or None)

        yield show


def _bars(terminal: TextIO) -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    whole = Column(overflow="fold")  # a name that is longer than the line goes on in the next one
    description = TextColumn("{task.description}", markup=False, table_column=whole)
    columns = (description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    printed = sys.stdout is not None and sys.stdout.isatty()  # what is printed meanwhile stays in its own stream
    return Bars(*columns, console=Console(file=terminal), transient=True, redirect_stdout=printed)


def _is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, in Jupyter, Colab or an editor."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


@contextlib.contextmanager
def _notebook_bars() -> Iterator[Progress]:
    """Show the browser's own bars in one output of the cell, and clear it at the end. They need no extension."""
    from IPython.display import HTML, display

    output = display(HTML(""), display_id=True)
    rows: dict[str, str] = {}
    told = 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal told
        share = f'value="{done}" max="{total}"' if total else ""
        rows[what] = f"<div><progress {share}></progress> {in_html(what)}: {done} of {total or '?'}</div>"
        if time.monotonic() - told >= _NOTEBOOK_SECONDS:
            output.update(HTML("".join(rows.values())))
            told = time.monotonic()

    try:
        yield show
    finally:
        output.update(HTML(""))
