"""The page of a result: what its first score means, its clips, and all its scores on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fvd_bench.evaluation.comparisons.ranking import is_ranked, is_scale
from fvd_bench.evaluation.details.exhibits import Exhibits
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.protocols.variants import SCALE
from fvd_bench.reports.charts.score_charts import row_of, scores_chart
from fvd_bench.reports.classes import class_grid, class_title
from fvd_bench.reports.page.meaning import distrust, meaning
from fvd_bench.reports.page.of_curves import window_sections
from fvd_bench.reports.page.page import Block, Charts, Made, Page, Section, Table, Verdict, Words
from fvd_bench.reports.page.sections import clip_sections, remaining_sections, title_of
from fvd_bench.words import number, span


def result_page(result: Result, exhibits: Exhibits | None = None, made: Made | None = None) -> Page:
    """Make the page of a result. exhibits: what was gathered with it, None for a result read from JSON."""
    return Page(
        title=title_of(result),
        verdict=result_verdict(result),
        sections=[
            *clip_sections(exhibits),
            Section("All scores on one axis", list(_score_charts(result.scores))),
            *window_sections({"": result}),
            Section("Each class by itself", list(_class_blocks(result))),
            *remaining_sections(result, exhibits),
        ],
        made=made or Made(),
    )


def result_verdict(result: Result) -> Verdict:
    """Say what the first score means."""
    warning = distrust(result.warnings)
    score = next((score for score in result.scores if score.value is not None), None)
    if score is None or score.value is None:
        return Verdict("unsure", "There is no score.", result.scores[0].reason or "", warning)
    tone, what = meaning(score.value, score.interval, score.floor)
    sure = "" if score.interval is None else f" (95 % interval {span(score.interval)})"
    better = "Lower is better." if score.lower_is_better else "Higher is better."
    return Verdict(
        "bad" if warning else tone,
        f"{score.metric.upper()} {number(score.value)}{sure}{what}",
        f"{score.protocol}, {score.real.counted()} real and {score.fake.counted()} fake clips. {better}",
        warning,
    )


def _class_blocks(result: Result) -> Iterator[Block]:
    """Yield a table for each score by class, if classes were asked for."""
    if result.classes is not None:
        for score in result.classes.scores:
            yield Words(class_title(score, result.classes))
            yield Table.of_grid(class_grid(score))


def _score_charts(scores: Sequence[Score]) -> Iterator[Block]:
    """Yield one chart for each metric, and one for each protocol whose real videos were scored with broken motion."""
    charts = []
    of_metric: dict[str, list[Score]] = {}
    for score in scores:
        if score.value is not None and is_ranked(score):
            of_metric.setdefault(score.metric, []).append(score)
    for metric, found in of_metric.items():
        arrow = "lower is better" if found[0].lower_is_better else "higher is better"
        charts.append(scores_chart([row_of(s, s.row or s.protocol) for s in found], f"{metric.upper()}, {arrow}"))
    if charts:
        yield Charts(charts)
    scales = [score for score in scores if is_scale(score) and score.value is not None]
    for protocol in dict.fromkeys(score.protocol.partition(f"-{SCALE}")[0] for score in scales):
        rows = [row_of(s, s.protocol) for s in scores if s.protocol == protocol and s.value is not None][:1]
        rows += [
            row_of(s, f"real videos {str(s.row).removeprefix(SCALE)}")
            for s in scales
            if s.protocol.partition(f"-{SCALE}")[0] == protocol
        ]
        yield Words("The score beside what the real videos score against themselves with broken motion:")
        yield Charts([scores_chart(rows, scales[0].metric.upper())])
