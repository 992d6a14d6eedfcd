"""Options that several commands share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.streams import TEXT, keeps
from fvd_bench.cli.values import Place
from fvd_bench.escapes import redact
from fvd_bench.paths import distinct_names, set_apart
from fvd_bench.settings import DEVICES, ENGINES, MOST_REPEATS, Device, Engine

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.result import Result
    from fvd_bench.settings import Settings
    from fvd_bench.sources.opening import Arrays


_Command = Callable[..., None]


def protocol_names(context: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the name of a protocol for a shell, or the path of a file."""
    from click.shell_completion import CompletionItem

    from fvd_bench.protocols import protocol
    from fvd_bench.protocols.aliases import ALIASES

    if "/" in begun or begun.startswith("."):
        return [CompletionItem(begun, type="file")]
    short = [CompletionItem(name, help=of) for name, of in ALIASES.items()]
    items = [*short, *map(CompletionItem, protocol.names())]
    return [item for item in items if item.value.startswith(begun)]


def format_option(*forms: str) -> Callable[[_Command], _Command]:
    """Add the option that says in which form the result goes to stdout. forms: those besides text."""
    return click.option(
        "--format", "form", default=TEXT, show_default=True, type=click.Choice([TEXT, *forms]),
        help="How to print the result; anything but text alone, for other programs.",
    )  # fmt: skip


def evaluation_options(command: _Command) -> _Command:
    """Add the options of every command that scores two sides by a draw of its own."""
    return side_options(draw_options(repeats=1)(command))


def ranking_options(command: _Command) -> _Command:
    """Add the same options, with `--fake` as often as there are generators: `fake` is a dictionary, name -> side."""
    return side_options(draw_options(repeats=1)(command), several_fakes=True)


def draw_options(*, repeats: int) -> Callable[[_Command], _Command]:
    """Add options that say which draws are made. repeats: the default number of draws."""
    return _all(
        click.option(
            "--repeats",
            default=repeats,
            show_default=True,
            type=click.IntRange(1, MOST_REPEATS),
            help="Draws to average over.",
        ),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of the first."),
    )


_VIDEOS = "Videos: a folder, archive, array file, list, pattern, address, or module:function"
_REAL = {False: f"{_VIDEOS}.", True: f"{_VIDEOS}; or statistics (.npz, .pkl, refs:NAME)."}
_FAKE = {False: "Generated ones, likewise.", True: "Generated ones, likewise; several of these are ranked."}


def side_options(command: _Command, *, several_fakes: bool = False, takes_statistics: bool = True) -> _Command:
    """Add the options of commands that score two sides. Those that describe arrays become part of `real` and `fake`.

    several_fakes: as in `ranking_options`. takes_statistics: whether the real side may be without frames.
    """
    return _all(
        click.option(
            "--real",
            required=True,
            type=Place(),
            help=_REAL[takes_statistics],
        ),
        click.option("--fake", required=True, type=Place(), multiple=several_fakes, help=_FAKE[several_fakes]),
        click.option(
            "--group-by",
            metavar="PATTERN",
            help="What belongs together, such as windows of one video: folder, a regular expression for names, a "
            "column of a list of videos, column:NAME, or one of a table, FILE.csv:COLUMN.",
        ),
        click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - for stdout alone."),
    )(array_options(real="real-", fake="fake-")(run_options(command)))


def array_options(**prefixes: str) -> Callable[[_Command], _Command]:
    """Add options that state axes and value range of arrays, which become part of the parameters that hold the arrays.

    prefixes: for each such parameter, what the names of its options begin with.
    """

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_arrays(**given: Any) -> None:  # all that click hands over
            for parameter, prefix in prefixes.items():
                word = prefix.replace("-", "_")
                stated = given.pop(f"{word}axes"), given.pop(f"{word}range")
                if isinstance(place := given[parameter], tuple):  # of an option that may be given several times
                    given[parameter] = {name: _stated(prefix, one, *stated) for name, one in _named(place).items()}
                else:
                    given[parameter] = _stated(prefix, place, *stated)
            command(**given)

        options = [make(prefix) for make in (_axes, _range) for prefix in prefixes.values()]
        return _all(*options)(with_arrays)

    return decorate


def device_option(command: _Command) -> _Command:
    """Add the option that says where networks run."""
    return click.option("--device", default="auto", show_default=True, type=click.Choice(DEVICES))(command)


def run_options(command: _Command) -> _Command:
    """Add options that say how features are computed. They change no feature."""
    path = click.Path(path_type=Path)
    return _all(
        device_option,
        click.option("--workers", type=click.IntRange(1), help="Decoding threads; one per processor unless given."),
        click.option("--cache", type=path, help="Folder of the feature store, in place of the usual one."),
        click.option("--no-cache", is_flag=True, help="Keep no features after the run."),
        click.option("--weights", multiple=True, metavar="NAME=FILE", help="Read these weights from a file."),
        click.option("--strict", is_flag=True, help="A video that has to be skipped is an error."),
        allow_code_option,
    )(command)


def allow_code_option(command: _Command) -> _Command:
    """Add the option that lets protocols use code of the user's own."""
    return click.option(
        "--allow-code",
        multiple=True,
        metavar="MODULE:OBJECT",
        expose_value=False,
        callback=_allow_code,
        help="Run this code where a protocol names it as its network or metric.",
    )(command)


def _allow_code(context: click.Context, option: click.Parameter, names: tuple[str, ...]) -> None:
    from fvd_bench.plugins import allow_code

    allow_code(*names)


def engine_options(command: _Command) -> _Command:
    """Add options that say which machines compute features."""
    return _all(
        click.option("--engine", default="local", show_default=True, type=click.Choice(ENGINES),
                     help="What computes features: this machine, or the Ray cluster at RAY_ADDRESS."),
        click.option("--parquet", metavar="PLACE",
                     help="Where ray writes features: a folder or address that all machines see."),
    )(command)  # fmt: skip


def _named(places: Sequence[str | Path]) -> dict[str, str | Path]:
    """Return the places of several sides by the ends in which they differ. Raises UsageError when two are one.

    Addresses that differ in what is not shown of them, such as a query, are numbered.
    """
    paths = [os.fspath(place).rstrip("/") for place in places]
    shown = [redact(path) if isinstance(place, str) else path for path, place in zip(paths, places, strict=True)]
    twice = [name for path, name in zip(paths, shown, strict=True) if paths.count(path) > 1]
    if twice:
        raise click.UsageError(f"--fake {twice[0]} is given twice: give each generator once")
    return dict(zip(set_apart(distinct_names(shown)), places, strict=True))


def _stated(
    prefix: str, place: str | Path | None, axes: str | None, value_range: tuple[float, float] | None
) -> str | Path | Arrays | None:
    """Return a place, with what is stated about the arrays there. Raises UsageError when there are no arrays."""
    if axes is None and value_range is None:
        return place
    from fvd_bench.errors import SourceError
    from fvd_bench.sources.opening import Arrays, takes_layout

    if place is None or not takes_layout(place):
        where = "nothing is given that could hold some" if place is None else f"{place} holds none"
        raise click.UsageError(f"--{prefix}axes and --{prefix}range are for arrays, and {where}")
    try:
        return Arrays(place, axes=axes, value_range=value_range)
    except SourceError as error:
        raise click.UsageError(f"--{prefix}axes, --{prefix}range: {error}") from error


def _axes(prefix: str) -> Callable[[_Command], _Command]:
    of = f" of --{prefix.rstrip('-')}" if prefix else ""
    return click.option(f"--{prefix}axes", metavar="AXES", help=f"Axes of the arrays{of} in their order: NTCHW.")


def _range(prefix: str) -> Callable[[_Command], _Command]:
    of = f" of --{prefix.rstrip('-')}" if prefix else ""
    return click.option(
        f"--{prefix}range", metavar="LO,HI", callback=_numbers, help=f"Black and white in floats{of}: -1,1."
    )


def _numbers(context: click.Context, option: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: expected the values of black and white, such as -1,1") from error
    return low, high


def _all(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def named_files(weights: Sequence[str]) -> dict[str, Path]:
    """Return the files of `--weights` by name. Raises UsageError."""
    files: dict[str, Path] = {}
    for pair in weights:
        name, equals, file = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--weights {pair}: expected NAME=FILE, such as i3d-kinetics-400={pair}")
        files[name] = Path(file)
    return files


def chosen_settings(
    *,
    device: Device,
    workers: int | None = None,
    cache: Path | None = None,
    no_cache: bool = False,
    weights: tuple[str, ...] = (),
    strict: bool = False,
    motion: bool = False,
    windows: int = 0,
    group_by: str | None = None,
    classes: str | None = None,
    engine: Engine = "local",
    parquet: str | None = None,
    onlooker: Callable[[Collection, Result], None] | None = None,
) -> Settings:
    """Make the settings of a run from what click hands over of `run_options`, `engine_options` and a command's own.

    Raises UsageError.
    """
    from fvd_bench.settings import Settings, default_cache

    if cache and no_cache:
        raise click.UsageError("--cache and --no-cache exclude each other")
    files = named_files(weights)
    folder = None if no_cache else cache or default_cache()
    if folder is not None:
        keeps("finished features are")
    return Settings(
        device=device,
        workers=workers,
        cache=folder,
        weights=files,
        strict=strict,
        motion=motion,
        windows=windows,
        group_by=group_by,
        classes=classes,
        engine=engine,
        parquet=parquet,
        onlooker=onlooker,
        distributed=True,  # takes effect where torchrun started the command
    )
