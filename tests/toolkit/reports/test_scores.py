"""The deviation over splits of a score, in every form in which people and programs get it."""

import csv
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from fvd_bench.estimate import Splits
from fvd_bench.evaluation.result import Result
from fvd_bench.reports.citation import result_citation
from fvd_bench.reports.exports import Origin, eee_json, hub_yaml, latex_row
from fvd_bench.reports.formats import Report
from fvd_bench.reports.page import result_page
from fvd_bench.reports.scores import result_report

ORIGIN = Origin(model="me/videos", dataset="me/faces", organization="we")
SAID = "± 0.734 over 10 splits"


@pytest.fixture
def result(showing) -> Result:
    """Of two draws, so that there is another deviation, with splits 0.734 apart."""
    found = showing[0]
    return replace(found, scores=(replace(found.scores[0], splits=Splits(10, 0.734)),))


def _printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(report.text)
    return console.file.getvalue()


def test_tables_say_it_and_csv_has_all_digits(result: Result) -> None:
    report = result_report(result)

    assert f"{SAID}, as papers report it" in _printed(report)
    assert f"{SAID}" in _printed(result_report(replace(result, scores=result.scores * 2)))
    assert f"| {SAID} |" in report.in_form("markdown")
    assert SAID.replace("±", r"$\pm$") in report.in_form("latex")
    (row,) = csv.DictReader(io.StringIO(report.in_form("csv")))
    assert (row["splits"], row["splits_std"]) == ("10", "0.734") and float(row["std"]) != 0.734


def test_pages_citations_and_exports_say_it(result: Result) -> None:
    (score,) = result.scores

    assert SAID in result_page(result).html()
    assert f"over 2 draws ({SAID}; 95 % interval" in result_citation({"": result})
    row = latex_row(result, ORIGIN)
    assert r"; $\pm$ 0.734 over 10 splits)\tnote{1}" in row
    assert f"; {SAID}; 95 % interval" in hub_yaml(result, ORIGIN).encode().decode("unicode_escape")
    (found,) = json.loads(eee_json(result, ORIGIN, now=0))["evaluation_results"]
    details = found["score_details"]["details"]
    assert (details["splits"], details["splits_std"]) == ("10", repr(score.splits.std))


def test_a_score_that_is_no_mean_over_splits_says_nothing_of_them(showing) -> None:
    result = showing[0]

    assert "splits" not in _printed(result_report(result)) + latex_row(result, ORIGIN) + result_page(result).html()
    assert "splits" not in result_report(result).in_form("markdown") + eee_json(result, ORIGIN, now=0)
