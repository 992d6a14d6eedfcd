"""check and compare: a result against another."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import chosen_settings, format_option, side_options
from fvd_bench.cli.pages import CLIPS_AND_CHARTS, Showing, html_option
from fvd_bench.cli.ranking import print_ranking, ranked_page
from fvd_bench.cli.streams import (
    Text,
    append,
    check_outputs,
    console,
    deliver,
    delivery,
    print_report,
    progress,
    remark,
    stdout_of,
    warn,
)
from fvd_bench.cli.values import STDIN, ResultFile
from fvd_bench.errors import FvdBenchError

if TYPE_CHECKING:
    from fvd_bench.evaluation.comparisons.comparison import Comparisons
    from fvd_bench.evaluation.details.exhibits import Exhibits
    from fvd_bench.reports.page import Made, Page
    from fvd_bench.sources.opening import Arrays

_FAILED = 1


def percent(text: str) -> float:
    """Read a share such as 5%."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)%", text)
    if not found:
        raise click.BadParameter(f"{text!r}: expected a share such as 5%")
    return float(found[1]) / 100


@click.command(cls=Command)
@side_options
@click.option(
    "--baseline", required=True, type=ResultFile(), help="Result to compare with, as compute --json wrote it."
)
@click.option(
    "--max-increase", default="5%", show_default=True, type=percent, metavar="X%", help="Worsening that is allowed."
)
@click.option("--protocol", multiple=True, metavar="FILE", help="A protocol of the baseline that does not ship.")
@click.option("--update", is_flag=True, help="Accept: the new result becomes the baseline; exit with 0.")
@html_option(CLIPS_AND_CHARTS)
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
    html_file: str | None,
    junit: str | None,
    markdown: str | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Fail, with exit code 1, when new fake videos score worse than a baseline by more than chance and allowance."""
    from fvd_bench.evaluation.comparisons import comparison
    from fvd_bench.reports import comparison as gate_tables

    reports = json_file, html_file, junit, markdown
    if update:
        if baseline == STDIN:
            raise click.UsageError("--update replaces the baseline, and stdin cannot be replaced: name its file")
        check_outputs(*reports, str(baseline), read=(real, fake))
    else:
        check_outputs(*reports, read=(real, fake, baseline))
    showing = Showing(html_file)
    try:
        with progress() as show:
            compared = comparison.check(
                real,
                fake,
                baseline,
                max_increase=max_increase,
                protocol=protocol,
                update=update,
                settings=chosen_settings(**settings, onlooker=showing.onlooker),
                progress=show,
            )
    except FvdBenchError as error:
        texts = gate_tables.json_error(error), gate_tables.junit_error(error), gate_tables.markdown_error(error)
        with delivery() as attempt:
            attempt(lambda: _report(*texts, files=(json_file, junit, markdown), show=lambda: None))
            raise
    texts = gate_tables.comparisons_json(compared), gate_tables.junit(compared), gate_tables.markdown(compared)
    with delivery() as attempt:
        table = gate_tables.comparison_report(compared).text
        page = showing.text(partial(_page, compared))
        files = json_file, junit, markdown
        attempt(lambda: _report(*texts, page, files=files, show=lambda: console().print(table)))
        warn(compared.findings)
        if update:
            remark(f"fvd-bench: {baseline} now holds the new result")
    if compared.failed:
        raise click.exceptions.Exit(_FAILED)


def _report(
    json_text: str, junit: str, markdown: str, *more: Text, files: tuple[str | None, ...], show: Callable[[], None]
) -> None:
    """Write the reports that have a file, of JSON, of JUnit and of Markdown, and more texts."""
    json_file, junit_file, markdown_file = files
    with delivery() as attempt:
        if markdown_file:
            attempt(lambda: append(markdown, markdown_file))
        attempt(lambda: deliver((json_file, lambda: json_text), (junit_file, lambda: junit), *more, show=show))


def _page(compared: Comparisons, exhibits: Exhibits | None, made: Made) -> Page:
    from fvd_bench.reports.page import comparison_page

    return comparison_page(compared, exhibits, made)


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="A.json B.json...", type=ResultFile())
@click.option("--json", "json_file", metavar="FILE", help="Write the comparison as JSON; - for stdout alone.")
@html_option("charts")
@format_option("score", "json", "csv", "markdown", "latex")
def compare(files: tuple[Path, ...], json_file: str | None, html_file: str | None, form: str) -> None:
    """Say whether two results can be told apart, or rank more of them."""
    from fvd_bench.evaluation.comparisons import comparison, result_files
    from fvd_bench.reports import comparison as gate_tables

    check_outputs(stdout_of(form), json_file, html_file, read=files)
    several = any(map(result_files.holds_several, files))
    if len(files) == 1 and not several:
        raise click.UsageError(f"{files[0]} is one result: give two or more")
    if len(files) == 2 and not several:
        compared = comparison.compare(*files)
        report = gate_tables.comparison_report(compared)
        page = Showing(html_file).text(partial(_page, compared))
        print_report(report, form, (json_file, report.to_json), page, findings=compared.findings)
    else:
        if len(set(files)) < len(files):
            raise click.UsageError("a file is given twice: give each once")
        ranked = result_files.compare_all(files)
        page = Showing(html_file).text_of_all(partial(ranked_page, ranked))
        print_ranking(ranked, json_file, page, form=form)
