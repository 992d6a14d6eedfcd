"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from fvd_bench.evaluation import Settings


class Commands(click.Group):
    """Lists the commands in the order in which they are written here."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


_Command = Callable[..., None]


def evaluation_options(command: _Command) -> _Command:
    """Options of every command that scores two sides by a draw of its own."""
    return side_options(draw_options(repeats=1)(command))


def draw_options(*, repeats: int) -> Callable[[_Command], _Command]:
    """Options that say which draws are made. repeats: how many, unless given."""
    return _all(
        click.option(
            "--repeats", default=repeats, show_default=True, type=click.IntRange(1), help="Draws to average over."
        ),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of the first."),
    )


def side_options(command: _Command) -> _Command:
    """Options of every command that scores two sides."""
    path = click.Path(path_type=Path)
    return _all(
        click.option("--real", required=True, type=path, help="Videos or frame folders: a folder or zip archive."),
        click.option("--fake", required=True, type=path, help="Generated ones, likewise."),
        click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - for stdout alone."),
        click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"])),
        click.option("--workers", type=click.IntRange(1), help="Decoding threads; one per processor unless given."),
        click.option("--cache", type=path, help="Folder of the feature store, in place of the usual one."),
        click.option("--no-cache", is_flag=True, help="Keep no features after the run."),
        click.option("--weights", multiple=True, metavar="NAME=FILE", help="Read these weights from a file."),
        click.option("--strict", is_flag=True, help="A video that has to be skipped is an error."),
    )(command)


def _all(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def chosen_settings(
    *,
    device: Literal["auto", "cpu", "cuda"],
    workers: int | None = None,
    cache: Path | None = None,
    no_cache: bool = False,
    weights: tuple[str, ...] = (),
    strict: bool = False,
    motion: bool = False,
) -> Settings:
    from fvd_bench.evaluation import Settings, default_cache

    if cache and no_cache:
        raise click.UsageError("--cache and --no-cache exclude each other")
    files: dict[str, Path] = {}
    for pair in weights:
        name, equals, file = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--weights {pair}: expected NAME=FILE, such as i3d-kinetics-400={pair}")
        files[name] = Path(file)
    folder = None if no_cache else cache or default_cache()
    return Settings(device=device, workers=workers, cache=folder, weights=files, strict=strict, motion=motion)
