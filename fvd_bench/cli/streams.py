"""Stdout for results, stderr for progress, files for machines."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.errors import FvdBenchError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from fvd_bench.result import Result, Score

_QUIET_SECONDS = 20.0
"""Time between lines of progress where stderr is no terminal."""


def console() -> Console:
    """Stdout. Piped into a file it is wide enough for any table."""
    from rich.console import Console

    class PipeConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PipeConsole(width=None if sys.stdout.isatty() else 200)


@contextlib.contextmanager
def progress(*, shown: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Progress on stderr: a bar for each thing that is being done, or a line now and then in a log."""
    if not shown:
        yield lambda what, done, total: None
        return
    if not sys.stderr.isatty():
        yield _progress_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total or None)

        yield show


def _progress_lines() -> Callable[[str, int, int], None]:
    begun: dict[str, tuple[float, int]] = {}  # when, and how much had been done then
    told = time.monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        since, before = begun.setdefault(what, (now, done))
        if done < before or done >= total:
            del begun[what]
        elif done > before and now - told > _QUIET_SECONDS:
            told = now
            left = (now - since) / (done - before) * (total - done)
            click.echo(f"{what}: {done} of {total}, about {left:.0f} seconds left", err=True)

    return show


def warn(result: Result) -> None:
    """A result's warnings, on stderr."""
    for warned in result.warnings:
        click.echo(f"fvd-bench: warning: {warned.message}", err=True)


def print_result(result: Result, json_file: str | None, *, alone: bool = False) -> None:
    """The scores for people, and the result for machines where that is asked for. alone: stdout is for others."""
    from fvd_bench.report import result_table

    warn(result)
    print_scores(result_table(result), result.scores, result.to_json(), json_file, alone=alone)


def print_scores(
    table: RenderableType, scores: Sequence[Score], json_text: str, json_file: str | None, *, alone: bool = False
) -> None:
    """A table with the signatures of its scores, and JSON, as `print_result` does."""
    if json_file != "-" and not alone:
        console().print(table)
        for score in scores:
            click.echo(score.signature)  # not through the console: it is one line however wide that is
    if json_file:
        write(json_text, json_file)


def write(text: str, file: str) -> None:
    """Write a whole file or none; - is stdout."""
    text = _printable(text)
    if file == "-":
        click.echo(text, nl=False)
        return
    partial = Path(f"{file}.part")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(file)
    except OSError as error:
        raise FvdBenchError(f"{file} cannot be written: {error.strerror}") from error


def append(text: str, file: str) -> None:
    """Add to the end of a file."""
    try:
        with Path(file).open("a", encoding="utf-8") as end:
            end.write(_printable(text))
    except OSError as error:
        raise FvdBenchError(f"{file} cannot be written: {error.strerror}") from error


def check_outputs(*files: str | None) -> None:
    """Long work must not be lost because its results cannot be written, or overwrite each other."""
    named = [file for file in files if file is not None]
    for place, file in enumerate(named):
        if file in named[:place]:
            raise click.UsageError(f"{'stdout' if file == '-' else file} can take one kind of result, not two")
        path = Path(file).absolute()
        folder = path.parent
        writable = os.access(path, os.W_OK) if path.exists() else os.access(folder, os.W_OK)
        if file != "-" and (path.is_dir() or not folder.is_dir() or not writable):
            raise FvdBenchError(f"{file} cannot be written: expected a file in a folder that exists")


def _printable(text: str) -> str:
    """Names of files may hold bytes that are no characters."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
