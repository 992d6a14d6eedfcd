"""check and compare: a result against another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.options import chosen_settings, side_options
from fvd_bench.cli.streams import append, check_outputs, console, progress, warn, write
from fvd_bench.errors import FvdBenchError

if TYPE_CHECKING:
    from fvd_bench.sources import Arrays

_FAILED = 1


def percent(text: str) -> float:
    """A share such as 5%."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not found:
        raise click.BadParameter(f"{text!r}: expected a share such as 5%")
    return float(found[1]) / 100


_result = click.Path(path_type=Path)


@click.command()
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
    real: Path | Arrays,
    fake: Path | Arrays,
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
    from fvd_bench import gate, gate_tables

    check_outputs(json_file, junit, markdown, str(baseline) if update else None)
    try:
        with progress() as show:
            compared = gate.check(
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
        failed = gate_tables.json_error(error), gate_tables.junit_error(error), gate_tables.markdown_error(error)
        _write_reports(*failed, json_file=json_file, junit_file=junit, markdown_file=markdown)
        raise
    warn(compared.now)
    if "-" not in (json_file, junit):
        console().print(gate_tables.comparison_table(compared))
    reports = gate_tables.comparisons_json(compared), gate_tables.junit(compared), gate_tables.markdown(compared)
    _write_reports(*reports, json_file=json_file, junit_file=junit, markdown_file=markdown)
    if update:
        click.echo(f"fvd-bench: {baseline} now holds the new result", err=True)
    elif compared.failed:
        raise click.exceptions.Exit(_FAILED)


def _write_reports(
    json_text: str,
    junit: str,
    markdown: str,
    *,
    json_file: str | None,
    junit_file: str | None,
    markdown_file: str | None,
) -> None:
    """Write those reports that have a file."""
    if json_file:
        write(json_text, json_file)
    if junit_file:
        write(junit, junit_file)
    if markdown_file:
        append(markdown, markdown_file)


@click.command()
@click.argument("before", metavar="A.json", type=_result)
@click.argument("now", metavar="B.json", type=_result)
@click.option("--json", "json_file", metavar="FILE", help="Write the comparison as JSON; - for stdout alone.")
def compare(before: Path, now: Path, json_file: str | None) -> None:
    """Say whether two results can be told apart."""
    from fvd_bench import gate, gate_tables

    check_outputs(json_file)
    compared = gate.compare(before, now)
    if json_file != "-":
        console().print(gate_tables.comparison_table(compared))
    if json_file:
        write(gate_tables.comparisons_json(compared), json_file)
