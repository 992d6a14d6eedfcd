"""The page of a comparison: what changed from one result to a later one, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fvd_bench.evaluation.comparisons.comparison import Comparison, Comparisons
from fvd_bench.evaluation.details.exhibits import Exhibits
from fvd_bench.reports.charts.palette import LIMIT, SOFT, WORST
from fvd_bench.reports.charts.score_charts import Bar, bars_chart
from fvd_bench.reports.comparison import PAIRED, found_text, score_name
from fvd_bench.reports.page.meaning import distrust_each
from fvd_bench.reports.page.page import Block, Charts, Items, Made, Page, Section, Table, Tone, Verdict, Words
from fvd_bench.reports.page.sections import clip_sections, remaining_sections, title_of
from fvd_bench.words import counted, number, percent

_WORDS = {
    "regression": "worse by more than is allowed and more than chance explains",
    "worse": "worse by more than chance explains",
    "unknown": "nothing is known of what chance explains",
    "better": "better by more than chance explains",
    "same": "cannot be told apart",
}
"""Verdict -> what it says, the worst first."""
_TONES: dict[str, Tone] = {
    "regression": "bad",
    "worse": "fair",
    "unknown": "unsure",
    "better": "good",
    "same": "unsure",
}
_COLOURS = {"regression": WORST, "worse": WORST, "unknown": SOFT, "better": LIMIT, "same": SOFT}


def comparison_page(compared: Comparisons, exhibits: Exhibits | None = None, made: Made | None = None) -> Page:
    """Make the page of what `comparison.check` and `compare` return. exhibits: what was gathered with the later
    result."""
    return Page(
        title=f"Before and now: {title_of(compared.now)}",
        verdict=_verdict(compared),
        sections=[
            *clip_sections(exhibits),
            Section("What changed", list(_changes(compared))),
            *remaining_sections(compared.now, exhibits, compared.findings),
        ],
        made=made or Made(),
    )


def _verdict(compared: Comparisons) -> Verdict:
    worst = min(compared.scores, key=lambda score: list(_WORDS).index(score.verdict))
    change = _change_percent(worst)
    sentence = f"{score_name(worst)}: {number(worst.before)} before, {number(worst.now)} now"
    sentence += f" ({change:+.1f} %): " if change is not None else ": "
    others = len(compared.scores) - 1
    more = f"{counted(others, 'more score', 'are')} compared below. " if others else ""
    if math.isfinite(compared.allowed):
        more += f"A worsening of {percent(compared.allowed, '.1%')} is allowed."
    more += " The new result was accepted as the baseline." if compared.accepted else ""
    warning = distrust_each(compared.results)
    return Verdict("bad" if warning else _TONES[worst.verdict], f"{sentence}{_words(worst)}.", more.strip(), warning)


def _words(score: Comparison) -> str:
    if score.verdict == "regression" and score.error is None:
        return f"worse by more than is allowed; {_WORDS['unknown']}"
    return _WORDS[score.verdict]


def _changes(compared: Comparisons) -> Iterator[Block]:
    bars = []
    for score in compared.scores:
        change = _change_percent(score)
        if change is not None:
            noise = None if score.error is None else 100 * score.noise / abs(score.before)
            bars.append(Bar(score_name(score), 0.0, change, f"{change:+.1f} %", noise, _COLOURS[score.verdict]))
    if bars:
        legend = {
            "worst": "worse",
            "limit": "better",
            "soft": "cannot be told apart, or unknown",
            "ink": "what chance explains",
        }
        yield Charts([bars_chart(bars, "change in percent of the score before", legend)])
    rows = []
    for score in compared.scores:
        noise_text = "unknown" if score.error is None else f"± {number(score.noise)}"
        change_text = f"{'+' if score.change > 0 else ''}{number(score.change)}"
        numbers = [number(score.before), number(score.now), change_text, noise_text, found_text(score)]
        rows.append([score_name(score), *numbers, _words(score)])
    head = ("score", "before", "now", "change", "chance explains", "would be found", "verdict")
    yield Table(head, rows, numbers=range(1, 6))
    if any(score.paired for score in compared.scores):
        yield Words(PAIRED, is_soft=True)
    if compared.notes:
        yield Items(compared.notes)


def _change_percent(score: Comparison) -> float | None:
    return None if score.relative_change is None else 100 * score.relative_change
