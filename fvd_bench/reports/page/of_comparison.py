"""The page of a comparison: what changed from one result to a later one, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fvd_bench.evaluation.comparison import Comparison, Comparisons
from fvd_bench.evaluation.exhibits import Exhibits
from fvd_bench.reports.page.canvas import LIMIT, SOFT, WORST
from fvd_bench.reports.page.page import Block, Charts, Items, Made, Page, Section, Table, Tone, Verdict, Words
from fvd_bench.reports.page.score_charts import Bar, bars_chart
from fvd_bench.reports.page.sections import clip_sections, remaining_sections, title_of
from fvd_bench.reports.tables import number

_WORDS = {
    "regression": "worse by more than is allowed and more than chance explains",
    "worse": "worse by more than chance explains",
    "better": "better by more than chance explains",
    "same": "cannot be told apart",
}
_TONES: dict[str, Tone] = {"regression": "bad", "worse": "fair", "better": "good", "same": "unsure"}
_COLOURS = {"regression": WORST, "worse": WORST, "better": LIMIT, "same": SOFT}
_ROUNDING = 1e-9


def comparison_page(compared: Comparisons, exhibits: Exhibits | None = None, made: Made | None = None) -> Page:
    """Make the page of what `comparison.check` and `compare` return. exhibits: what was gathered with the later
    result."""
    return Page(
        title=f"Before and now: {title_of(compared.now)}",
        verdict=_verdict(compared),
        sections=[
            *clip_sections(exhibits),
            Section("What changed", list(_changes(compared))),
            *remaining_sections(compared.now, exhibits),
        ],
        made=made or Made(),
    )


def _verdict(compared: Comparisons) -> Verdict:
    worst = min(compared.scores, key=lambda score: list(_WORDS).index(score.verdict))
    change = _percent(worst)
    sentence = f"{_name(worst)}: {number(worst.before)} before, {number(worst.now)} now"
    sentence += f" ({change:+.1f} %): " if change is not None else ": "
    others = len(compared.scores) - 1
    more = f"{others} more scores are compared below. " if others else ""
    if math.isfinite(compared.allowed):
        more += f"A worsening of {compared.allowed:.1%} is allowed.".replace("%", " %")
    more += " The new result was accepted as the baseline." if compared.accepted else ""
    return Verdict(_TONES[worst.verdict], f"{sentence}{_WORDS[worst.verdict]}.", more.strip())


def _changes(compared: Comparisons) -> Iterator[Block]:
    bars = []
    for score in compared.scores:
        change = _percent(score)
        if change is not None:
            noise = None if score.error is None else 100 * score.noise / abs(score.before)
            bars.append(Bar(_name(score), 0.0, change, f"{change:+.1f} %", noise, _COLOURS[score.verdict]))
    if bars:
        legend = {"worst": "worse", "limit": "better", "soft": "cannot be told apart", "ink": "what chance explains"}
        yield Charts([bars_chart(bars, "change in percent of the score before", legend)])
    rows = []
    for score in compared.scores:
        noise_text = "unknown" if score.error is None else f"± {number(score.noise)}"
        found = "–" if score.detectable is None else f"{score.detectable:.1%}".replace("%", " %")
        change_text = f"{'+' if score.change > 0 else ''}{number(score.change)}"
        numbers = [number(score.before), number(score.now), change_text, noise_text, found]
        rows.append([_name(score), *numbers, _WORDS[score.verdict]])
    head = ("score", "before", "now", "change", "chance explains", "would be found", "verdict")
    yield Table(head, rows, numbers=range(1, 6))
    if any(score.paired for score in compared.scores):
        yield Words("Fake videos of one name were compared with each other.", is_soft=True)
    if compared.notes:
        yield Items(compared.notes)


def _percent(score: Comparison) -> float | None:
    return 100 * score.change / abs(score.before) if abs(score.before) > _ROUNDING else None


def _name(score: Comparison) -> str:
    return f"{score.metric.upper()} {score.protocol}" + (f" {score.row}" if score.row else "")
