"""check and compare: a result against another."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.options import Command, chosen_settings, side_options
from fvd_bench.cli.streams import append, check_outputs, console, deliver, delivery, progress, say, warn
from fvd_bench.errors import FvdBenchError

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays

_FAILED = 1


def percent(text: str) -> float:
    """Read a share such as 5%."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)%", text)
    if not found:
        raise click.BadParameter(f"{text!r}: expected a share such as 5%")
    return float(found[1]) / 100


_result = click.Path(path_type=Path)


@click.command(cls=Command)
@side_options
@click.option("--baseline", required=True, type=_result, help="Result to compare with, as compute --json wrote it.")
@click.option(
    "--max-increase", default="5%", show_default=True, type=percent, metavar="X%", help="Worsening that is allowed."
)
@click.option("--protocol", multiple=True, metavar="FILE", help="A protocol of the baseline that does not ship.")
@click.option("--update", is_flag=True, help="Accept: the new result becomes the baseline; exit with 0.")
@click.option("--junit", metavar="FILE", help="Write JUnit XML; - for stdout alone.")
@click.option("--markdown", metavar="FILE", help="Append a summary in Markdown, as to $GITHUB_STEP_SUMMARY.")
def check(
    real: str | Path | Arrays,
    fake: str | Path | Arrays,
    baseline: Path,
    max_increase: float,
    protocol: tuple[str, ...],
    update: bool,
    json_file: str | None,
    junit: str | None,
    markdown: str | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Fail, with exit code 1, when new fake videos score worse than a baseline by more than chance and allowance."""
    from fvd_bench.evaluation import comparison
    from fvd_bench.reports import comparison as gate_tables

    check_outputs(json_file, junit, markdown, str(baseline) if update else None)
    try:
        with progress() as show:
            compared = comparison.check(
                real,
                fake,
                baseline,
                max_increase=max_increase,
                protocol=protocol,
                update=update,
                settings=chosen_settings(**settings),
                progress=show,
            )
    except FvdBenchError as error:
        texts = gate_tables.json_error(error), gate_tables.junit_error(error), gate_tables.markdown_error(error)
        with delivery() as attempt:
            attempt(lambda: _report(*texts, files=(json_file, junit, markdown), show=lambda: None))
            raise
    texts = gate_tables.comparisons_json(compared), gate_tables.junit(compared), gate_tables.markdown(compared)
    with delivery() as attempt:
        table = gate_tables.comparison_table(compared)
        attempt(lambda: _report(*texts, files=(json_file, junit, markdown), show=lambda: console().print(table)))
        warn(compared.now.warnings)
        if update:
            say(f"fvd-bench: {baseline} now holds the new result", err=True)
    if compared.failed:
        raise click.exceptions.Exit(_FAILED)


def _report(
    json_text: str, junit: str, markdown: str, *, files: tuple[str | None, ...], show: Callable[[], None]
) -> None:
    """Write the reports that have a file, of JSON, of JUnit and of Markdown."""
    json_file, junit_file, markdown_file = files
    with delivery() as attempt:
        if markdown_file:
            attempt(lambda: append(markdown, markdown_file))
        attempt(lambda: deliver((json_file, lambda: json_text), (junit_file, lambda: junit), show=show))


@click.command(cls=Command)
@click.argument("before", metavar="A.json", type=_result)
@click.argument("now", metavar="B.json", type=_result)
@click.option("--json", "json_file", metavar="FILE", help="Write the comparison as JSON; - for stdout alone.")
def compare(before: Path, now: Path, json_file: str | None) -> None:
    """Say whether two results can be told apart."""
    from fvd_bench.evaluation import comparison
    from fvd_bench.reports import comparison as gate_tables

    check_outputs(json_file)
    compared = comparison.compare(before, now)
    deliver(
        (json_file, lambda: gate_tables.comparisons_json(compared)),
        show=lambda: console().print(gate_tables.comparison_table(compared)),
    )
