"""Several generators in order of their scores, for people: which is better, and which cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType

from fvd_bench.evaluation.comparisons.ranking import LEVEL, RankedScore, Ranking
from fvd_bench.evaluation.comparisons.result_files import ranking_json
from fvd_bench.evaluation.score import Score
from fvd_bench.reports.cells import number_or_blank, over_splits, span_or_blank
from fvd_bench.reports.comparison import PAIRED
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import number, percent


def ranking_report(ranked: Ranking) -> Report:
    """Report a ranking: a grid for each score, and below them what was compared and how."""
    parts: list[RenderableType] = []
    for score in ranked.scores:
        parts += [Prose(ranked_title(score), style="bold"), ranked_grid(score), *map(Prose, reasons(score))]
    scores = [score for table in ranked.scores for score in table.scores.values()]
    return Report(
        text=Group(*parts, *map(Prose, sentences(ranked))),
        grid=_grids(ranked),
        records=[record for score in ranked.scores for record in _records(score)],
        to_json=lambda: ranking_json(ranked),
        scores=[score.value for score in scores],
        signatures=list(dict.fromkeys(score.signature for score in scores if score.value is not None)),
    )


def sentences(ranked: Ranking) -> list[str]:
    """Say how differences were judged, and what limits that."""
    contrasts = [contrast for score in ranked.scores for contrast in score.contrasts]
    judged = [contrast for contrast in contrasts if contrast.is_real is not None]
    said = []
    if judged:
        many = f"{len(judged)} comparisons" if len(judged) > 1 else "one comparison"
        said.append(
            "A generator differs from another where chance in drawing the fake videos hardly explains it: with nothing "
            f"to find, less than {percent(LEVEL)} of rankings name any difference (Holm's correction for {many}). That "
            "is against these real videos."
        )
    if any(contrast.paired for contrast in judged):
        said.append(PAIRED)
    if any(contrast.error is None for contrast in contrasts):
        said.append("Where chance is unknown, nothing is said of a difference.")
    return said + [f"Note: {note}." for note in ranked.notes]


def ranked_grid(ranked: RankedScore, *, headed: bool = False) -> Grid:
    """Show a score of all generators. headed: whether each row names the score."""
    arrow = "↓" if ranked.first.lower_is_better else "↑"
    columns = [
        Column("score"),
        Column("#", is_number=True),
        Column("generator"),
        Column(f"{ranked.first.metric.upper()} {arrow}", is_number=True, style="bold"),
        Column("± std", is_number=True),
        Column("splits", is_number=True),
        Column("95 % interval", is_number=True),
        Column("floor", is_number=True),
        Column("differs from", is_number=True),
    ]
    places = {name: str(place) for place, name in enumerate(ranked.scores, start=1)}
    rows = []
    for name, score in ranked.scores.items():
        rows.append(
            [
                ranked_title(ranked) if headed else "",
                places[name] if score.value is not None else "",
                name,
                number(score.value),
                number_or_blank(score.std),
                over_splits(score),
                span_or_blank(score.interval),
                number_or_blank(score.floor),
                _differences(ranked, name, score, places),
            ]
        )
    return Grid(columns, rows)


def _grids(ranked: Ranking) -> Grid:
    """Show all scores in one grid, for forms that hold one table."""
    grids = [ranked_grid(score, headed=len(ranked.scores) > 1) for score in ranked.scores]
    columns = list(grids[0].columns)
    if len(grids) > 1:
        columns[3] = Column("value", is_number=True)
    return Grid(columns, [row for grid in grids for row in grid.rows])


def _differences(ranked: RankedScore, name: str, score: Score, places: dict[str, str]) -> str:
    """Return the places of the generators that one differs from, such as 1, 3-5; `?` where nothing can be said."""
    mine = [contrast for contrast in ranked.contrasts if name in (contrast.a, contrast.b)]
    if score.value is None:
        return ""
    if all(contrast.is_real is None for contrast in mine):
        return "?"
    return _runs([int(places[other]) for other in ranked.real_differences(name)]) or "none"


def _runs(numbers: Sequence[int]) -> str:
    """Write numbers in order, with those that follow each other as 3-5."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def ranked_title(ranked: RankedScore) -> str:
    """Return the metric and the protocol that generators are ranked by."""
    score = ranked.first
    row = f", {score.row}" if score.row else ""
    return f"{score.metric.upper()} {score.protocol}@{score.protocol_version}{row}"


def reasons(ranked: RankedScore) -> Iterator[str]:
    """Yield why generators have no score."""
    for name, score in ranked.scores.items():
        if score.value is None:
            yield f"{name}: no {score.metric}: {score.reason}"


def _records(ranked: RankedScore) -> Iterator[dict[str, object]]:
    for place, (name, score) in enumerate(ranked.scores.items(), start=1):
        yield {
            "place": place if score.value is not None else None,
            "generator": name,
            "differs_from": "; ".join(ranked.real_differences(name)),
            **score.flat(),
        }
