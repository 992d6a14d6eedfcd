"""The command line: parse, call one function, print. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from fvd_bench.errors import FvdBenchError, SelftestError

if TYPE_CHECKING:
    from rich.console import Console

    from fvd_bench.evaluation import Settings
    from fvd_bench.plan import Plan
    from fvd_bench.result import Result

_INTERRUPTED = 130
_CLOSED_PIPE = 141
_QUIET_SECONDS = 20.0
"""Time between lines of progress where stderr is no terminal."""


class _Commands(click.Group):
    """Lists the commands in the order in which they are written here."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


def main() -> None:
    """Entry point: an error that the user can act on becomes one line on stderr and its exit code."""
    try:
        with cli.make_context("fvd-bench", sys.argv[1:]) as context:  # cli.main() would exit with 1 on closed pipes
            cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except FvdBenchError as error:
        click.echo(f"fvd-bench: error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("fvd-bench: interrupted; finished features are kept, the same command goes on from there", err=True)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing stdout would fail again
        sys.exit(_CLOSED_PIPE)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fvd-bench")
def cli() -> None:
    """Score video generators: FVD and FID with the exact protocol in every number."""


def _evaluation_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of every command that scores two sides."""
    path = click.Path(path_type=Path)
    options = [
        click.option("--real", required=True, type=path, help="Folder of real videos, or of frame folders."),
        click.option("--fake", required=True, type=path, help="Folder of generated videos, or of frame folders."),
        click.option("--repeats", default=1, show_default=True, type=click.IntRange(1), help="Draws to average over."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of the first."),
        click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - for stdout alone."),
        click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"])),
        click.option("--workers", type=click.IntRange(1), help="Decoding threads; one per processor unless given."),
        click.option("--cache", type=path, help="Folder of the feature store, in place of the usual one."),
        click.option("--no-cache", is_flag=True, help="Keep no features after the run."),
        click.option("--weights", multiple=True, metavar="NAME=FILE", help="Read these weights from a file."),
        click.option("--strict", is_flag=True, help="A video that has to be skipped is an error."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@_evaluation_options
@click.option("--protocol", multiple=True, default=["stylegan-v-fvd16"], show_default=True, metavar="NAME|FILE",
              help="How to score; may be given several times. See `fvd-bench protocols list`.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be scored and skipped, and for how long; score nothing.")
def compute(
    real: Path,
    fake: Path,
    protocol: tuple[str, ...],
    repeats: int,
    seed: int,
    json_file: str | None,
    dry_run: bool,
    **settings: Any,  # click hands over the options of _settings by name
) -> None:
    """Score the videos in one folder against those in another."""
    from fvd_bench.evaluation import evaluate, open_evaluation

    chosen = _settings(**settings)
    _check_writable(json_file)
    if dry_run:
        from fvd_bench.plan import plan

        if json_file:
            raise click.UsageError("--dry-run scores nothing, so there is no --json of it")

        with (
            _progress() as show,
            open_evaluation(
                real, fake, protocol, repeats=repeats, seed=seed, settings=chosen, progress=show
            ) as evaluation,
        ):
            planned = plan(evaluation)
        _print_plan(planned)
        return
    with _progress() as show:
        result = evaluate(real, fake, protocol, repeats=repeats, seed=seed, settings=chosen, progress=show)
    _print_result(result, json_file)


@cli.group(cls=_Commands)
def protocols() -> None:
    """The ways of computing a score: list and show them."""


@protocols.command("list")
def protocols_list() -> None:
    """Name, version and summary of each protocol that ships with the package."""
    from rich.table import Table
    from rich.text import Text

    from fvd_bench import protocol

    table = Table("protocol", "version", "summary", "digest")
    for name in protocol.names():
        loaded = protocol.load(name)
        table.add_row(*map(Text, [name, str(loaded.version), loaded.summary, loaded.digest()[:12]]))
    _console().print(table)


@protocols.command("show")
@click.argument("name", metavar="NAME|FILE")
def protocols_show(name: str) -> None:
    """The file of a protocol, its digest and its signature."""
    from fvd_bench import protocol

    loaded = protocol.load(name)
    click.echo(protocol.text(name))
    click.echo(f"# digest: {loaded.digest()}\n# signature: {loaded.signature()}")


@cli.group(cls=_Commands)
def weights() -> None:
    """The networks' weights: list, pull, import and verify them."""


@weights.command("list")
def weights_list() -> None:
    """Which weights there are, which are here, and where the others come from."""
    from rich.table import Table
    from rich.text import Text

    from fvd_bench import weights as store

    table = Table("weights", "here", "digest", "licence", "source", "file")
    for row in store.installed():
        digest = row.digest[:12] if row.digest else "none published"
        here = "yes" if row.present else "no"
        table.add_row(*map(Text, [row.name, here, digest, row.licence, row.source, str(row.path)]))
    _console().print(table)


@weights.command("pull")
@click.argument("name")
def weights_pull(name: str) -> None:
    """Fetch weights into the store, verified."""
    from fvd_bench import weights as store

    with _progress() as show:
        file = store.pull(
            name, progress=lambda done, total: show(f"fetching {name}, MiB", done // 2**20, (total or 0) // 2**20)
        )
    click.echo(file)


@weights.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def weights_import(name: str, file: Path) -> None:
    """Put weights from a file into the store, verified."""
    from fvd_bench import weights as store

    click.echo(store.import_file(name, file))


@weights.command("verify")
@click.argument("name", default="i3d-kinetics-400")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
def weights_verify(name: str, file: Path | None, device: Literal["auto", "cpu", "cuda"]) -> None:
    """Check weights in the store or in a file, and recognise the classic mistakes by how the network behaves."""
    from fvd_bench.verification import verify

    for line in verify(name, file=file, device=device):
        click.echo(line)


@cli.command()
@click.option("--full", is_flag=True, help="Also fvd-comparison's 256 clips: some minutes on a CPU.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--json", "json_file", metavar="FILE", help="Write the checks as JSON; - for stdout alone.")
def selftest(full: bool, device: Literal["auto", "cpu", "cuda"], json_file: str | None) -> None:
    """Recompute published numbers with this installation."""
    from fvd_bench import report
    from fvd_bench import selftest as published
    from fvd_bench.environment import resolve_device

    _check_writable(json_file)
    with _progress() as show:
        where = resolve_device(device)
        checks = published.run(full=full, device=where, progress=lambda done, total: show("frames", done, total))
    if json_file != "-":
        _console().print(report.checks_table(checks))
    if json_file:
        _write(report.checks_json(checks), json_file)
    failed = [check for check in checks if not check.ok]
    if failed:
        raise SelftestError(
            f"{len(failed)} of {len(checks)} published numbers are not reproduced, {failed[0].name} for one; "
            "`fvd-bench weights verify` may tell why"
        )


@cli.command()
@click.option("--folder", type=click.Path(path_type=Path), default="fvd-bench-demo", show_default=True,
              help="Where to write the videos.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
def demo(folder: Path, device: Literal["auto", "cpu", "cuda"]) -> None:
    """Make videos of moving shapes, and score worse and worse copies of them."""
    from fvd_bench import demo as demonstration

    with _progress() as show:
        rows = demonstration.run(folder, settings=_settings(device=device), progress=show)
    _console().print(demonstration.table(rows))
    click.echo(rows[0].result.scores[0].signature)


def _settings(
    *,
    device: Literal["auto", "cpu", "cuda"],
    workers: int | None = None,
    cache: Path | None = None,
    no_cache: bool = False,
    weights: tuple[str, ...] = (),
    strict: bool = False,
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
    return Settings(device=device, workers=workers, cache=folder, weights=files, strict=strict)


def _console() -> Console:
    """Stdout. Piped into a file it is wide enough for any table."""
    from rich.console import Console

    class PipeConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PipeConsole(width=None if sys.stdout.isatty() else 200)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Progress on stderr: a bar for each thing that is being done, or a line now and then in a log."""
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


def _print_result(result: Result, json_file: str | None) -> None:
    from fvd_bench.report import result_table

    for warned in result.warnings:
        click.echo(f"fvd-bench: warning: {warned.message}", err=True)
    if json_file != "-":
        _console().print(result_table(result))
        for score in result.scores:
            click.echo(score.signature)  # not through the console: it is one line however wide that is
    if json_file:
        _write(result.to_json(), json_file)


def _print_plan(planned: Plan) -> None:
    from fvd_bench.report import plan_table

    _console().print(plan_table(planned))


def _write(text: str, file: str) -> None:
    if file == "-":
        click.echo(text, nl=False)
        return
    partial = Path(f"{file}.part")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(file)
    except OSError as error:
        raise FvdBenchError(f"{file} cannot be written: {error.strerror}") from error


def _check_writable(json_file: str | None) -> None:
    """Long work must not be lost because its result cannot be written."""
    if json_file in (None, "-"):
        return
    folder = Path(json_file).absolute().parent
    if Path(json_file).is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FvdBenchError(f"--json {json_file} cannot be written: expected a file in a folder that exists")
