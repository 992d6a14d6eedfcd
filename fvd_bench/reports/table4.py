"""Table 4 on other videos, for people."""

from __future__ import annotations

from rich.console import Group

from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.studies.table4 import PITFALLS, PROPER, SAME, change_percent, verdict
from fvd_bench.reports.cells import number_or_blank, span_or_blank
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.reports.scores import beware, signatures


def table4_report(result: Result) -> Report:
    """Report the rows of `table4.table4` beside the paper's, with what each does to the score."""
    grid = _grid(result)
    paper = PITFALLS[PROPER]
    note = (
        "Each row differs from the first in one field of its protocol. FFS and Sky: what it does to the paper's FVD, "
        f"{paper.face_forensics} on Face Forensics 256 x 256 and {paper.sky_timelapse} on Sky Timelapse 256 x 256. "
        "Draws of one seed are compared with each other."
    )
    found = [Prose(text, label=f"{name}  ") for name, text in beware(result.warnings)]
    return Report(
        text=Group(grid, Prose(note), *found),
        grid=grid,
        records=[{"change_percent": _change(score, result.scores[0]), **score.flat()} for score in result.scores],
        to_json=result.to_json,
        scores=[score.value for score in result.scores],
        signatures=signatures(result.scores[:1]),
    )


def _grid(result: Result) -> Grid:
    proper = result.scores[0]
    columns = [
        Column("row"),
        Column(proper.metric.upper(), is_number=True, style="bold"),
        Column("± std", is_number=True),
        Column("95 % interval", is_number=True),
        Column("change", is_number=True),
        Column("FFS", is_number=True),
        Column("Sky", is_number=True),
        Column("what it does", is_prose=True),
    ]
    rows = []
    for score in result.scores:
        assert score.row is not None
        pitfall, paper, change = PITFALLS[score.row], PITFALLS[PROPER], _change(score, proper)
        of_paper = ["", ""]
        if score is not proper:
            of_paper = [
                _percent(100 * (_mean(row) / _mean(before) - 1))
                for row, before in (
                    (pitfall.face_forensics, paper.face_forensics),
                    (pitfall.sky_timelapse, paper.sky_timelapse),
                )
            ]
        rows.append(
            [
                score.row,
                number_or_blank(score.value),
                number_or_blank(score.std),
                span_or_blank(score.interval),
                "" if change is None or score is proper else _percent(change),
                *of_paper,
                _words(score, proper),
            ]
        )
    return Grid(columns, rows)


def _words(score: Score, proper: Score) -> str:
    assert score.row is not None
    what = PITFALLS[score.row].what
    if score is proper:
        return f"{what}; the others are compared with it"
    return f"{what}: {score.reason if score.value is None else verdict(score, proper)}"


def _change(score: Score, proper: Score) -> float | None:
    """Return the change in percent: 0 too for a row that changed nothing, which is why it has no value of its own."""
    if score.value is None and score.reason and score.reason.startswith(SAME):
        return 0.0
    return change_percent(score, proper)


def _mean(text: str) -> float:
    return float(text.split()[0])


def _percent(change: float) -> str:
    return f"{change:+.1f} %"
