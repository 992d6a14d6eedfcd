"""The page of the way from one protocol to another: what each choice does to the score."""

from __future__ import annotations

from collections.abc import Iterator

from fvd_bench.evaluation.details.exhibits import Exhibits
from fvd_bench.evaluation.studies.explain import Step, Waterfall
from fvd_bench.reports.charts.canvas import Chart
from fvd_bench.reports.charts.palette import LIMIT, WORST
from fvd_bench.reports.charts.score_charts import Bar, bars_chart
from fvd_bench.reports.explain import ORDER_MATTERS
from fvd_bench.reports.page.page import Block, Charts, Made, Page, Section, Table, Verdict, Words
from fvd_bench.reports.page.sections import clip_sections, remaining_sections, title_of
from fvd_bench.words import number, signed, span


def explain_page(waterfall: Waterfall, exhibits: Exhibits | None = None, made: Made | None = None) -> Page:
    """Make the page of what `explain.explain` returns. exhibits: what was gathered with it, of the first protocol."""
    return Page(
        title=f"From {waterfall.start.protocol} to {waterfall.end.protocol}: {title_of(waterfall.result)}",
        verdict=_verdict(waterfall),
        sections=[
            *clip_sections(exhibits),
            Section("One choice after the other", list(_steps(waterfall))),
            *remaining_sections(waterfall.result, exhibits),
        ],
        made=made or Made(),
    )


def _verdict(waterfall: Waterfall) -> Verdict:
    start, end = waterfall.start, waterfall.end
    name = start.metric.upper()
    largest = max(waterfall.steps, key=lambda step: abs(step.change))
    return Verdict(
        "fair",
        f"{name} is {number(start.value)} under {start.protocol} and {number(end.value)} under {end.protocol}.",
        f"The largest step is {_fields(largest)}: {signed(largest.change)}.",
    )


def _steps(waterfall: Waterfall) -> Iterator[Block]:
    yield Charts([_chart(waterfall)])
    rows = []
    for step in waterfall.steps:
        changes = ["; ".join("{} → {}".format(*change.texts) for change in step.changes)]
        rows.append([_fields(step), *changes, number(step.score.value), span(step.score.interval), signed(step.change)])
    yield Table(("field", "from → to", waterfall.start.metric.upper(), "95 % interval", "change"), rows, (2, 3, 4))
    yield Words(ORDER_MATTERS, is_soft=True)


def _chart(waterfall: Waterfall) -> Chart:
    start, end = waterfall.start, waterfall.end
    assert start.value is not None and end.value is not None
    bars, before = [Bar(start.protocol, 0.0, start.value, number(start.value))], start.value
    for step in waterfall.steps:
        colour = WORST if (step.change > 0) == start.lower_is_better else LIMIT
        bars.append(Bar(_fields(step), before, before + step.change, signed(step.change), colour=colour))
        before += step.change
    bars.append(Bar(end.protocol, 0.0, end.value, number(end.value)))
    legend = {"score": "score", "worst": "makes it worse", "limit": "makes it better"}
    return bars_chart(bars, start.metric.upper(), legend)


def _fields(step: Step) -> str:
    return ", ".join(change.name for change in step.changes)
