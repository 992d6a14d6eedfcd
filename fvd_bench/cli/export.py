"""export: a result in the forms in which others collect them."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.streams import STDOUT, utf8, write
from fvd_bench.cli.values import ResultFile
from fvd_bench.errors import ResultError

_RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")


def _date(context: click.Context, option: click.Parameter, text: str) -> str:
    """Check that a text is a date or a time as ISO 8601 has them."""
    try:
        datetime.datetime.fromisoformat(text or "2026-01-01")
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: expected a date such as 2026-01-31") from error
    return text


def _address(context: click.Context, option: click.Parameter, text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise click.BadParameter(f"{text!r}: expected an address that begins with https:// or http://")
    return text


@click.command(cls=Command)
@click.argument("file", metavar="RESULT.json", type=ResultFile())
@click.option("--format", "form", required=True, type=click.Choice(["hf", "eee", "csv", "latex"]),
              help="For .eval_results of the hub, Every Eval Ever, a spreadsheet, or a paper.")  # fmt: skip
@click.option("--model", default="", metavar="OWNER/NAME", help="The generator.")
@click.option("--dataset", default="", metavar="OWNER/NAME", help="The real videos, as the hub names them.")
@click.option("--revision", default="", metavar="HASH", help="Of the dataset.")
@click.option("--task", default="", metavar="ID", help="Of the benchmark; PROTOCOL-METRIC unless given.")
@click.option("--source", default="", metavar="URL", callback=_address, help="What shows how the score came about.")
@click.option("--date", default="", metavar="DATE", callback=_date, help="Of the evaluation, ISO 8601.")
@click.option("--organization", default="", metavar="NAME", help="Who measured.")
@click.option("--relationship", default="other", show_default=True, type=click.Choice(_RELATIONSHIPS),
              help="Of these to the model.")  # fmt: skip
def export(file: Path, form: str, **origin: Any) -> None:  # click hands over the fields of Origin by name
    """Print a result in the form in which others collect them."""
    from fvd_bench.evaluation.comparisons.ranking import Ranking
    from fvd_bench.evaluation.comparisons.result_files import read
    from fvd_bench.reports import exports
    from fvd_bench.reports.scores import result_report

    result = read(file)
    if isinstance(result, Ranking):
        raise ResultError(
            f"{file} holds several results: export takes one; `fvd-bench compare {file} --format csv` prints them all"
        )
    of = exports.Origin(**origin)
    if form == "hf":
        text = exports.hub_yaml(result, of)
    elif form == "eee":
        text = exports.eee_json(result, of, now=time.time())
    else:
        text = exports.latex_row(result, of) if form == "latex" else result_report(result).in_form("csv")
    write(utf8(text), STDOUT)
