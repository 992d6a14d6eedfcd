"""Stdout for results, stderr for progress, files for machines."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench import atomic
from fvd_bench.cli.terminal import plain
from fvd_bench.errors import OutputError, cause
from fvd_bench.escapes import escaped
from fvd_bench.paths import is_same_file, user_path
from fvd_bench.progress import Progress, bars, silent
from fvd_bench.words import duration

if TYPE_CHECKING:
    from rich.console import Console

    from fvd_bench.evaluation.result import Result
    from fvd_bench.finding import Finding
    from fvd_bench.reports.formats import Report

STDOUT = "-"

TEXT = "text"
"""The form of --format that is for people."""

Text = tuple[str | None, Callable[[], str]]
"""A file that was asked for (`-` for stdout, None for none), and a function that makes the text for it."""

_QUIET = "fvd_bench.quiet"

KEPT = "fvd_bench.kept"
"""Key of what an interrupted command leaves, in the `meta` of its context."""

_COLUMNS = 100

_QUIET_SECONDS = 20.0
"""Seconds between lines of progress where stderr is no terminal."""


def say(text: str, *, err: bool = False, lines: bool = False) -> None:
    """Print a line on stdout or stderr. lines: whether the text may have several, which no name of a file may make."""
    print(text if lines else escaped(text), file=sys.stderr if err else sys.stdout, flush=True)


def be_quiet() -> None:
    """Show no progress, no findings and no names of written files from here to the end of the command."""
    click.get_current_context().meta[_QUIET] = True


def keeps(what: str | None) -> None:
    """Note what this command leaves where it is interrupted, such as `finished features`; None for nothing."""
    click.get_current_context().meta[KEPT] = what


def is_quiet() -> bool:
    """Return whether `be_quiet` was called in this command."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_QUIET))


def console(*, err: bool = False) -> Console:
    """Return a console on stdout or stderr. It cuts nothing, and has 100 columns where it is no terminal."""
    from rich.console import Console

    class WholeConsole(Console):
        def print(self, *objects: Any, **more: Any) -> None:  # all that rich takes
            super().print(*objects, **{"crop": False, **more})

        def on_broken_pipe(self) -> None:
            raise  # raises the error that is being handled

    stream = sys.stderr if err else sys.stdout
    return WholeConsole(file=plain(stream), width=None if stream.isatty() else _columns())


def _columns() -> int:
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) else _COLUMNS


@contextlib.contextmanager
def progress(*, shown: bool = True) -> Iterator[Progress]:
    """Show progress on stderr: a bar for each thing that is being done, or in a log a line now and then."""
    if not shown or is_quiet():
        yield silent
        return
    if not sys.stderr.isatty():
        yield _progress_lines()
        return
    with bars(plain(sys.stderr)) as show:
        yield show


def _progress_lines() -> Progress:
    begun: dict[str, tuple[float, int]] = {}  # what -> when it began, and how much was done
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
            say(f"{what}: {done} of {total}, about {duration(left)} left", err=True)

    return show


def warn(findings: Sequence[Finding]) -> None:
    """Print findings on stderr, the worst first, each sentence once: in lines that fit a terminal, or one line each."""
    from fvd_bench.finding import messages
    from fvd_bench.reports.layout import Prose

    if is_quiet():
        return
    for message in messages(findings):
        if sys.stderr.isatty():
            console(err=True).print(Prose(message, label="warning: "))
        else:
            say(f"fvd-bench: warning: {message}", err=True)


def remark(text: str) -> None:
    """Say on stderr what was noticed or done, which `--quiet` leaves out."""
    if not is_quiet():
        say(text, err=True)


def wrote(file: object) -> None:
    """Say on stderr that a file was written."""
    remark(f"wrote {file}")


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Drop what work says on stderr by itself, if the command is to be quiet. Errors are raised through it."""
    if not is_quiet():
        yield
        return
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


@contextlib.contextmanager
def delivery() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Hand out what was found in several ways. If one way fails, the others are still tried.

    Yields a function that tries a way. Raises the first failure at the end; where it is an OutputError, with what those
    after it say.
    """
    failures: list[Exception] = []

    def attempt(way: Callable[[], None]) -> None:
        try:
            way()
        except Exception as error:
            failures.append(error)

    yield attempt
    if failures and isinstance(failures[0], OutputError):
        told = dict.fromkeys(str(failure) for failure in failures if isinstance(failure, OutputError))
        raise OutputError("; ".join(told)) from failures[0]
    if failures:
        raise failures[0]


def deliver(*texts: Text, show: Callable[[], None]) -> None:
    """Write texts to their files, then `show` people what was found, unless stdout is for a text.

    Raises what `delivery` does.
    """
    asked = [(file, text) for file, text in texts if file]
    with delivery() as attempt:
        for file, text in sorted(asked, key=lambda pair: pair[0] == STDOUT):
            attempt(lambda file=file, text=text: write(utf8(text()), file))  # type: ignore[misc]
        if not any(file == STDOUT for file, _ in asked):
            attempt(show)


def print_result(result: Result, json_file: str | None, *more: Text, form: str = TEXT) -> None:
    """Print the scores for people, and write the result and more texts where that is asked for."""
    from fvd_bench.reports.scores import result_report

    print_report(result_report(result), form, (json_file, result.to_json), *more, findings=result.warnings)


def print_report(report: Report, form: str, *texts: Text, findings: Sequence[Finding] = ()) -> None:
    """Write texts as `deliver` does, print the report in its form, then findings, and last the signatures."""
    asked = (*texts, (stdout_of(form), lambda: report.in_form(form)))
    with delivery() as attempt:
        attempt(lambda: deliver(*asked, show=lambda: console().print(report.text)))
        warn(findings)
        if all(file != STDOUT for file, _ in asked):
            for signature in report.signatures:
                attempt(lambda signature=signature: say(signature))  # type: ignore[misc]


def stdout_of(form: str) -> str | None:
    """Return the place that a form of --format is written to, for `check_outputs`; None for text, which is printed."""
    return None if form == TEXT else STDOUT


def append(text: str, file: str) -> None:
    """Append text to a file. Raises OutputError."""
    try:
        atomic.append_text(Path(file), _printable(text))
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {cause(error)}") from error
    wrote(file)


def check_ending(option: str, file: str | None, endings: Sequence[str]) -> None:
    """Raise UsageError where the file that an option names, if any, ends in none of these, which say its form."""
    if file is not None and Path(file).suffix.lower() not in endings:
        *most, last = endings
        raise click.UsageError(f"{option} {file}: expected a file that ends in {', '.join(most)} or {last}")


def check_outputs(*files: str | None, read: Iterable[object] = ()) -> None:
    """Make sure that results can be written, so that no long work is lost, and overwrite neither each other nor what is
    read, nor become a part of that.

    read: sides and other inputs, of which those that are files count, and those that are made of files. Protocols,
    weights and tables that the options of this command name count without being given here.
    Raises OutputError and UsageError.
    """
    given = (*(getattr(each, "videos", each) for each in read), *_named_by_options())
    taken = [user_path(file) for file in given if isinstance(file, str | Path)]
    places: list[atomic.Destination] = []
    for file in files:
        if file is None:
            continue
        try:
            place = 1 if file == STDOUT else atomic.destination(Path(file))
            if file != STDOUT:
                atomic.check_writable(Path(file))
            if isinstance(place, Path):
                place = place.parent.resolve() / place.name
        except OSError as error:
            raise OutputError(
                f"{file} cannot be written: expected a file in a folder that exists ({cause(error)})"
            ) from error
        if isinstance(place, Path):
            _check_apart(file, place, taken)
        if place in places:
            raise click.UsageError(f"{'stdout' if place == 1 else file} can take one kind of result, not two")
        places.append(place)


def _check_apart(file: str, place: Path, taken: Iterable[Path]) -> None:
    """Raise UsageError where a result is what is read, a file of that, or would be one. place: where it is written."""
    for other in taken:
        from fvd_bench.sources.membership import takes  # for the commands that write files

        if is_same_file(place, other) or takes(other, place):
            if place.exists():
                raise click.UsageError(f"{file} is read, and would be replaced: give what is written another name")
            raise click.UsageError(f"{file} would be a part of {other} from then on: write it to another folder")


def _named_by_options() -> Iterator[str]:
    """Yield the files of protocols, weights and tables of groups that the options of this command name."""
    given = click.get_current_context().params
    if protocols := given.get("protocol") or given.get("protocols"):
        from fvd_bench.protocols.aliases import is_path  # for the commands that have some

        yield from filter(is_path, protocols)
    yield from filter(None, (pair.partition("=")[2] for pair in given.get("weights") or ()))
    for by in filter(None, (given.get("group_by"), given.get("classes"))):
        from fvd_bench.metrics import dependence  # for the few who group

        if (table := dependence.table_of(by)) is not None:
            yield table[0]


def write(data: bytes, file: str) -> None:
    """Write a whole file or none; - is stdout. Raises OutputError."""
    if file == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        atomic.write_bytes(Path(file), data)
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {cause(error)}") from error
    wrote(file)


def utf8(text: str) -> bytes:
    """Return text as machines read it everywhere."""
    return _printable(text).encode("utf-8")


def _printable(text: str) -> str:
    """Escape what UTF-8 cannot encode, since names of files may hold bytes that are no characters."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
