"""Commands and groups of them, with what all have: `--quiet`, `--debug`, and short names of options."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from fvd_bench.cli.streams import be_quiet
from fvd_bench.errors import FvdBenchError

DEBUG = "--debug"
"""An option that is looked for among all arguments, since it has to work also where parsing them fails."""


SHORT = {
    "--real": "-r",
    "--fake": "-f",
    "--protocol": "-p",
    "--repeats": "-n",
    "--seed": "-s",
    "--json": "-j",
    "--format": "-F",
    "--out": "-o",
    "--device": "-d",
    "--workers": "-w",
    "--quiet": "-q",
}
"""Option -> its short name, which is the same in every command that has the option."""


class Command(click.Command):
    """A command with `--quiet` and `--debug`, and with the SHORT names of its options.

    It refuses an option of one value that is given twice, since it is unclear which value is meant, and an empty value,
    which would be the folder where one is, or nothing.
    """

    def __init__(self, *given: Any, **more: Any) -> None:  # all that click hands over
        super().__init__(*given, **more)
        self.params += [_quiet(), _debug()]
        for param in self.params:
            param.opts += [SHORT[name] for name in param.opts if name in SHORT]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, order = self.make_parser(ctx).parse_args(list(args))
        for param in order:
            values = given.get(param.name or "")
            if (values == "" or (isinstance(values, list | tuple) and "" in values)) and param.default != "":
                raise click.UsageError(f"{max(param.opts, key=len)} is empty, as a variable that is not set is", ctx)
        for param, times in Counter(order).items():
            if isinstance(param, click.Option) and times > 1 and not (param.multiple or param.is_flag):
                raise click.UsageError(
                    f"{max(param.opts, key=len)} is given {times} times and takes one value: give it once", ctx
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # what a command returns
        try:
            return super().invoke(ctx)
        except FvdBenchError as error:
            error.args = (*map(self._with_options, error.args),)
            raise

    def _with_options(self, message: object) -> object:
        """Put the command's own options into a message that says how something is stated in Python."""
        if not isinstance(message, str) or "fvd_bench.Arrays(" not in message:
            return message
        from fvd_bench.videos.array_layout import WITH_AXES, WITH_RANGE

        for phrase, ending in ((WITH_AXES, "axes"), (WITH_RANGE, "range")):
            if options := [option for param in self.params for option in param.opts if option.endswith(ending)]:
                message = message.replace(phrase, f"with {' or '.join(options)}")
        return message


class Commands(click.Group):
    """A group that lists its commands in the order in which they are written here."""

    command_class = Command

    def __init__(self, *given: Any, **more: Any) -> None:  # all that click hands over
        super().__init__(*given, **more)
        self.params.append(_debug())

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what each command does in a whole sentence, which click cuts at the end of the line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(sys.maxsize)) for name, each in self.commands.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name
            having = [each for each, command in self.commands.items() if any(name in p.opts for p in command.params)]
            if not having:
                raise
            message = f"{name} stands behind the name of its command, such as {', '.join(having)}"
            raise click.UsageError(message, ctx) from error

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        assert isinstance(cmd, Command | Commands), "else it has no --debug"
        super().add_command(cmd, name)


def _debug() -> click.Option:
    return click.Option([DEBUG], is_flag=True, expose_value=False, help="Show where an error comes from.")


def _quiet() -> click.Option:
    def callback(context: click.Context, option: click.Parameter, given: bool) -> None:
        if given:
            be_quiet()

    return click.Option(
        ["--quiet"], is_flag=True, expose_value=False, callback=callback,
        help="No progress, no warnings and no names of written files on stderr.",
    )  # fmt: skip


@contextlib.contextmanager
def typed() -> Iterator[None]:
    """Make an error of what is checked inside one of usage, since it comes from options alone."""
    try:
        yield
    except FvdBenchError as error:
        raise click.UsageError(str(error)) from error
