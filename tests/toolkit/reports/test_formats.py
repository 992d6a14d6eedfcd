"""The same table for people, papers and programs."""

import csv
import io

import pytest

from fvd_bench.reports.formats import FORMS, Report, csv_text, latex_table
from fvd_bench.reports.layout import Column, Grid, Prose

GRID = Grid(
    [Column("protocol"), Column("FVD", is_number=True), Column("95 % interval", is_number=True), Column("empty")],
    [["a_b|c", "1.50", "1 to 2", ""], ["evil\x1b[31m", "–", "", ""]],
)
REPORT = Report(
    text=Prose("for people"),
    grid=GRID,
    records=[{"name": "a,b\n", "value": 0.1 + 0.2}, {"name": "c", "value": None}],
    to_json=lambda: "{}\n",
    scores=[0.1 + 0.2, None],
    signatures=["fvd|a`b"],
)


def test_markdown_is_a_table_that_says_nothing_else() -> None:
    lines = REPORT.in_form("markdown").splitlines()

    assert lines == [
        "| protocol | FVD | 95 % interval |",
        "|---|---:|---:|",
        r"| a\_b\|c | 1.50 | 1 to 2 |",
        r"| evil\\x1b\[31m | – |  |",
        "",
        "`` fvd|a`b ``",
    ]


def test_latex_is_a_table_of_booktabs() -> None:
    lines = [line.strip() for line in REPORT.in_form("latex").splitlines()]

    assert lines[:3] == [r"\begin{tabular}{lrr}", r"\toprule", r"protocol & FVD & 95 \% interval \\"]
    assert r"a\_b\textbar{}c & 1.50 & 1 to 2 \\" in lines
    assert lines[-2:] == [r"\end{tabular}", "% fvd|a`b"]


def test_latex_has_no_characters_that_a_font_may_lack() -> None:
    grid = Grid([Column("FVD ↓"), Column("× floor")], [["12.3 ± 0.1 ↑", "–"]])

    text = latex_table(grid)

    assert text.isascii()
    assert r"FVD $\downarrow$ & $\times$ floor" in text and r"12.3 $\pm$ 0.1 $\uparrow$ & --" in text


def test_csv_has_all_digits_and_one_line_for_each() -> None:
    text = REPORT.in_form("csv")

    assert list(csv.reader(io.StringIO(text))) == [["name", "value"], [r"a,b\n", "0.30000000000000004"], ["c", ""]]
    assert csv_text([]) == ""


def test_scores_alone_are_read_back_to_the_last_digit() -> None:
    first, second = REPORT.in_form("score").split()

    assert float(first) == 0.1 + 0.2
    assert second == "nan"


@pytest.mark.parametrize("form", [form for form in FORMS if form != "text"])
def test_every_form_ends_its_last_line(form: str) -> None:
    assert REPORT.in_form(form).endswith("\n")
