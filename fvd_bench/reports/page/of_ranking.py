"""The page of a ranking: which generator is better, which differences are real, and what each of them makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fvd_bench.evaluation.comparisons.ranking import Contrast, RankedScore, Ranking
from fvd_bench.evaluation.details.exhibits import Exhibits
from fvd_bench.evaluation.result import Result
from fvd_bench.finding import Finding
from fvd_bench.reports.charts.score_charts import row_of, scores_chart
from fvd_bench.reports.layout import Column, Grid
from fvd_bench.reports.page.meaning import distrust_each
from fvd_bench.reports.page.of_curves import window_sections
from fvd_bench.reports.page.page import Block, Charts, Details, Items, Made, Page, Section, Table, Tone, Verdict, Words
from fvd_bench.reports.page.sections import (
    WHAT_STRIPS_SHOW,
    motion_table,
    origin_blocks,
    skipped_details,
    steps,
    strip,
    worst_blocks,
)
from fvd_bench.reports.ranking import ranked_grid, ranked_title, reasons, sentences
from fvd_bench.words import number, span


def ranking_page(
    ranked: Ranking, exhibits: Mapping[str, Exhibits | None] | None = None, made: Made | None = None
) -> Page:
    """Make the page of a ranking. exhibits: name of a generator -> what was gathered with its result."""
    shown = {name: found for name, found in (exhibits or {}).items() if found is not None}
    return Page(
        title=f"{len(ranked.results)} generators against {next(iter(ranked.results.values())).real.path}",
        verdict=_verdict(ranked),
        sections=[
            Section("In order", list(_order(ranked))),
            Section("Which differences are real", list(_differences(ranked))),
            Section("What the network saw", list(_strips(shown))),
            Section("The fakes that hurt most, of each generator", list(_worst(shown))),
            Section("Findings", list(_findings(ranked.results))),
            *window_sections(ranked.results),
            Section("Motion", list(_motion(ranked.results))),
            Section("How it was made", list(origin_blocks(ranked.results))),
        ],
        made=made or Made(),
    )


def _verdict(ranked: Ranking) -> Verdict:
    """Say which generator is best under the first score, and whether that is more than chance."""
    table = ranked.scores[0]
    name, score = next(iter(table.scores.items()))
    warning = distrust_each(ranked.results)
    if score.value is None:
        return Verdict("unsure", "There is no score.", score.reason or "", warning)
    sure = "" if score.interval is None else f" (95 % interval {span(score.interval)})"
    real = {c.b if c.a == name else c.a: c.is_real for c in table.contrasts if name in (c.a, c.b)}
    differing, alike, unknown = (
        ", ".join(other for other in table.scores if other in real and real[other] is judged)
        for judged in (True, False, None)
    )
    tone: Tone = "unsure"
    if not differing and not alike:
        what = "is first; nothing is known of what chance explains."
    elif alike:
        what = f"is first, but cannot be told from {alike}."
    elif unknown:
        what = f"is better than {differing} by more than chance explains; of {unknown} that is not known."
    else:
        tone, what = "good", "is best, by more than chance explains."
    better = "Lower is better." if score.lower_is_better else "Higher is better."
    return Verdict(
        "bad" if warning else tone,
        f"{name} {what} {score.metric.upper()} {number(score.value)}{sure}.",
        f"{ranked_title(table)}, {score.real.counted()} real and {score.fake.counted()} fake clips. {better}",
        warning,
    )


def _order(ranked: Ranking) -> Iterator[Block]:
    charts = []
    for table in ranked.scores:
        rows = [row_of(score, name) for name, score in table.scores.items() if score.value is not None]
        better = "lower is better" if table.first.lower_is_better else "higher is better"
        if rows:
            charts.append(scores_chart(rows, f"{table.first.metric.upper()} {table.first.protocol}, {better}"))
    if charts:
        yield Charts(charts)
    for table in ranked.scores:
        yield Words(ranked_title(table))
        yield Table.of_grid(ranked_grid(table))
        if said := list(reasons(table)):
            yield Items(said)


def _differences(ranked: Ranking) -> Iterator[Block]:
    """Yield a row for every two generators under each score, the surest differences first."""
    numbers = (Column(name, is_number=True) for name in ("by", "standard error", "p, corrected"))
    columns = [Column("score"), Column("ahead"), Column("behind"), *numbers, Column("difference")]
    rows = []
    for table in ranked.scores:
        title = ranked_title(table) if len(ranked.scores) > 1 else ""
        for contrast in sorted(table.contrasts, key=lambda c: 1.0 if c.corrected is None else c.corrected):
            rows.append([title, *_contrast(table, contrast)])
    if rows:
        yield Table.of_grid(Grid(columns, rows))
    yield Items(sentences(ranked))


def _contrast(table: RankedScore, contrast: Contrast) -> list[str]:
    change = contrast.change if table.first.lower_is_better else -contrast.change
    ahead, behind = (contrast.b, contrast.a) if change < 0 else (contrast.a, contrast.b)
    p = "–" if contrast.corrected is None else f"{contrast.corrected:.2g}"
    words = {True: "real", False: "cannot be told apart", None: "unknown"}
    return [ahead, behind, number(abs(contrast.change)), number(contrast.error), p, words[contrast.is_real]]


def _strips(exhibits: Mapping[str, Exhibits]) -> Iterator[Block]:
    if not exhibits:
        return
    yield Words(WHAT_STRIPS_SHOW, is_soft=True)
    yield from strip(next(iter(exhibits.values())), "real", "real")
    for name, shown in exhibits.items():
        yield from strip(shown, "fake", name)
    yield from steps(list(exhibits.values()))


def _worst(exhibits: Mapping[str, Exhibits]) -> Iterator[Block]:
    for name, shown in exhibits.items():
        if blocks := list(worst_blocks(shown)):
            yield Details(name, blocks)


def _findings(results: Mapping[str, Result]) -> Iterator[Block]:
    """Yield what was found of all generators, then what was found of each."""

    def key(finding: Finding) -> tuple[str, str]:
        return finding.code, finding.message

    common = set.intersection(*({key(finding) for finding in result.warnings} for result in results.values()))
    first = next(iter(results.values()))
    if of_all := [finding.message for finding in first.warnings if key(finding) in common]:
        yield Items(of_all)
    for name, result in results.items():
        if own := [finding.message for finding in result.warnings if key(finding) not in common]:
            yield Words(f"{name}:")
            yield Items(own)
        yield from skipped_details(result, name)


def _motion(results: Mapping[str, Result]) -> Iterator[Block]:
    moving = {name: result.motion for name, result in results.items() if result.motion is not None}
    if moving:
        real = next(iter(moving.values())).real
        yield from motion_table({"real": real, **{name: motion.fake for name, motion in moving.items()}})
