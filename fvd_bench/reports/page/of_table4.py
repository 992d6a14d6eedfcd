"""The page of Table 4 on other videos: what each mistake does to the score."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from fvd_bench.evaluation.details.exhibits import Exhibits
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.studies.table4 import PITFALLS, change_percent, verdict
from fvd_bench.metrics.uncertainty import quantile
from fvd_bench.reports.charts.score_charts import Bar, bars_chart, row_of, scores_chart
from fvd_bench.reports.page.page import Block, Charts, Items, Made, Page, Section, Table, Verdict, Words
from fvd_bench.reports.page.sections import clip_sections, remaining_sections, title_of
from fvd_bench.words import number, span


def table4_page(result: Result, exhibits: Exhibits | None = None, made: Made | None = None) -> Page:
    """Make the page of what `table4.table4` returns. exhibits: what was gathered with it."""
    return Page(
        title=f"Table 4: {title_of(result)}",
        verdict=_verdict(result),
        sections=[
            *clip_sections(exhibits),
            Section("What each mistake does", list(_rows(result))),
            *remaining_sections(result, exhibits),
        ],
        made=made or Made(),
    )


def _verdict(result: Result) -> Verdict:
    proper = result.scores[0]
    changes = {score.row: change for score in _changed(result) if (change := change_percent(score, proper)) is not None}
    more = f"As the protocol says: {proper.metric.upper()} {number(proper.value)}."
    if not changes:
        return Verdict("unsure", "No mistake can be tried on these videos.", more)
    row, change = max(changes.items(), key=lambda item: abs(item[1]))
    assert row is not None
    moved = "raises" if change > 0 else "lowers"
    sentence = f"The largest effect: {row} {moved} {proper.metric.upper()} by {abs(change):.1f} %."
    return Verdict("fair", sentence, f"{PITFALLS[row].what.capitalize()}. {more}")


def _rows(result: Result) -> Iterator[Block]:
    proper = result.scores[0]
    bars = [
        Bar(str(score.row), 0.0, change, f"{change:+.1f} %", _error_percent(score, proper))
        for score in _changed(result)
        if (change := change_percent(score, proper)) is not None
    ]
    scored = [score for score in result.scores if score.value is not None]
    charts = (
        [bars_chart(bars, "change in percent", {"score": "change", "ink": "95 % interval over the draws"})]
        if bars
        else []
    )
    charts.append(scores_chart([row_of(score, str(score.row)) for score in scored], proper.metric.upper()))
    yield Charts(charts)
    rows = []
    for score in result.scores:
        assert score.row is not None
        pitfall, percent = PITFALLS[score.row], change_percent(score, proper)
        change_text = "–" if score is proper or percent is None else f"{percent:+.1f} %"
        said = "what the others are compared with" if score is proper else "no score"
        if score is not proper and score.value is not None:
            said = verdict(score, proper)
        numbers = [number(score.value), number(score.std), span(score.interval), change_text]
        rows.append([score.row, pitfall.what, *numbers, pitfall.face_forensics, pitfall.sky_timelapse, said])
    head = ("row", "what it does", proper.metric.upper(), "± std", "95 % interval", "change")
    yield Table((*head, "Face Forensics", "Sky Timelapse", "verdict"), rows, numbers=range(2, 8))
    yield Words("Face Forensics and Sky Timelapse: the paper's FVD at 256 × 256.", is_soft=True)
    reasons = [f"{score.row}: {score.reason}" for score in result.scores if score.value is None]
    if reasons:
        yield Items(reasons)


def _changed(result: Result) -> list[Score]:
    return [score for score in result.scores[1:] if score.value is not None]


def _error_percent(score: Score, proper: Score) -> float | None:
    """Return half of the interval of a change over the draws, in percent of the proper score."""
    gaps = [after - before for after, before in zip(score.values, proper.values, strict=True)]
    if len(gaps) < 2 or not proper.value:
        return None
    return 100 * quantile(len(gaps)) * statistics.stdev(gaps) / math.sqrt(len(gaps)) / abs(proper.value)
