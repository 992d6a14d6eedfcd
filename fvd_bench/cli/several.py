"""compute with several fake sides: a ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.cli.streams import delivery, print_report, progress

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Collection
    from fvd_bench.evaluation.ranking import Ranking
    from fvd_bench.evaluation.result import Result
    from fvd_bench.finding import Finding
    from fvd_bench.settings import Settings
    from fvd_bench.sources.opening import Arrays


def compute(
    real: str | Path | Arrays,
    fakes: Mapping[str, str | Path | Arrays],
    protocol: tuple[str, ...],
    *,
    repeats: int,
    seed: int,
    json_file: str | None,
    form: str,
    keep: Callable[[int, Collection, Result], None],
    settings: Settings,
) -> None:
    """Score several fake sides against one real side, and print which is better.

    keep: called with each place among the fake sides, its features and its result.
    """
    from fvd_bench.evaluation import ranking, several
    from fvd_bench.features.distributed import processes

    places = {name: place for place, name in enumerate(fakes)}
    with delivery() as attempt:
        with (
            processes() as first,
            progress(shown=first) as show,
            several.open_ranking(
                real, fakes, protocol, repeats=repeats, seed=seed, settings=settings, progress=show
            ) as evaluations,
        ):

            def kept(name: str, collection: Collection, result: Result) -> None:
                if first:
                    attempt(lambda: keep(places[name], collection, result))

            ranked = several.run(evaluations, kept)
        if first:
            attempt(lambda: print_ranking(ranked, json_file, form, ranking.findings(ranked)))


def print_ranking(ranked: Ranking, json_file: str | None, form: str, findings: Sequence[Finding] = ()) -> None:
    """Print a ranking for people, and write it for machines where that is asked for."""
    from fvd_bench.reports.ranking import ranking_report

    report = ranking_report(ranked)
    print_report(report, form, (json_file, report.to_json), findings=findings)
