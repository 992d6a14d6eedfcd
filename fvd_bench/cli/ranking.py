"""A ranking: what compute makes of several fake sides, and compare of several results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.cli.streams import Text, console, delivery, print_report, progress

if TYPE_CHECKING:
    from fvd_bench.cli.kept_features import KeptFeatures
    from fvd_bench.cli.pages import Showing
    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.comparisons.ranking import Ranking
    from fvd_bench.evaluation.details.exhibits import Exhibits
    from fvd_bench.evaluation.details.per_video import VideoRecord
    from fvd_bench.evaluation.result import Result
    from fvd_bench.reports.page import Made, Page
    from fvd_bench.settings import Settings
    from fvd_bench.sources.opening import Arrays


def compute(
    real: str | Path | Arrays,
    fakes: Mapping[str, str | Path | Arrays],
    protocol: tuple[str, ...],
    *,
    repeats: int,
    seed: int,
    form: str,
    showing: Showing,
    per_video_file: str | None,
    kept: KeptFeatures,
    settings: Settings,
) -> None:
    """Score several fake sides against one real side, and print which is better."""
    from fvd_bench.evaluation.comparisons import rank
    from fvd_bench.evaluation.details.per_video import all_videos, ranking_csv
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.ranking import ranking_report

    places = {name: place for place, name in enumerate(fakes)}
    videos: dict[str, list[VideoRecord]] = {}
    with kept.open(), delivery() as attempt:
        with (
            processes() as first,
            progress(shown=first) as show,
            rank.open_ranking(
                real, fakes, protocol, repeats=repeats, seed=seed, settings=settings, progress=show
            ) as evaluations,
        ):

            def look(name: str, collection: Collection, result: Result) -> None:
                if per_video_file:
                    videos[name] = all_videos(collection, result)
                if first:
                    attempt(lambda: kept.keep(places[name], collection, result))

            ranked = rank.run(evaluations, look)
        if first:
            attempt(lambda: kept.write(lambda: ranking_report(ranked).to_json()))
            texts = showing.text_of_all(partial(ranked_page, ranked)), (per_video_file, lambda: ranking_csv(videos))
            attempt(lambda: print_ranking(ranked, kept.json_file, *texts, form=form))


def dry_run(
    real: str | Path | Arrays,
    fakes: Mapping[str, str | Path | Arrays],
    protocol: tuple[str, ...],
    *,
    repeats: int,
    seed: int,
    settings: Settings,
) -> None:
    """Say what ranking the fake sides would use and skip, and how long it would take. Raises MetricError when one of
    them would get no score."""
    from fvd_bench.evaluation.comparisons.rank import open_ranking
    from fvd_bench.evaluation.plan import plans
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.plan import plan_table

    with (
        processes() as first,
        progress(shown=first) as show,
        open_ranking(real, fakes, protocol, repeats=repeats, seed=seed, settings=settings, progress=show) as opened,
    ):
        planned = plans(opened)
    if not first:
        return
    console().print(plan_table(planned))
    for name, plan in planned.items():
        plan.check_possible(name)


def print_ranking(ranked: Ranking, json_file: str | None, *more: Text, form: str) -> None:
    """Print a ranking for people with the findings of its results, and write it and more texts where that is asked
    for."""
    from fvd_bench.evaluation.comparisons.ranking import findings
    from fvd_bench.reports.ranking import ranking_report

    report = ranking_report(ranked)
    print_report(report, form, (json_file, report.to_json), *more, findings=findings(ranked.results))


def ranked_page(ranked: Ranking, exhibits: Sequence[Exhibits | None], made: Made) -> Page:
    """Make the page of a ranking. exhibits: of each result in order; none for results that lie in files."""
    from fvd_bench.reports.page import ranking_page

    return ranking_page(ranked, dict(zip(ranked.results, exhibits, strict=False)), made)
