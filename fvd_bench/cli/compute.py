"""compute: the score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.options import chosen_settings, evaluation_options
from fvd_bench.cli.streams import check_outputs, console, print_result, progress, write

if TYPE_CHECKING:
    from fvd_bench.evaluation import Collection
    from fvd_bench.plan import Plan
    from fvd_bench.result import Result
    from fvd_bench.sources import Arrays


@click.command()
@evaluation_options
@click.option("--protocol", multiple=True, default=["stylegan-v-fvd16"], show_default=True, metavar="NAME|FILE",
              help="How to score; may be given several times. See `fvd-bench protocols list`.")  # fmt: skip
@click.option("--html", "html_file", metavar="FILE", help="Write the result as a page with charts.")
@click.option("--motion", is_flag=True, help="Also score the real videos shuffled, frozen and reversed, as a scale.")
@click.option("--keep-features", is_flag=True, help="Keep the features beside the JSON, for check and compare.")
@click.option("--dry-run", is_flag=True, help="Say what would be scored and skipped, and for how long; score nothing.")
def compute(
    real: Path | Arrays,
    fake: Path | Arrays,
    protocol: tuple[str, ...],
    repeats: int,
    seed: int,
    json_file: str | None,
    html_file: str | None,
    keep_features: bool,
    dry_run: bool,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Score the videos in one folder against those in another."""
    from fvd_bench.evaluation import open_evaluation

    chosen = chosen_settings(**settings)
    check_outputs(json_file, html_file)
    if dry_run and (json_file or html_file):
        raise click.UsageError("--dry-run scores nothing, so there is no --json or --html of it")
    if keep_features and json_file in (None, "-"):
        raise click.UsageError("--keep-features puts the features beside the --json FILE, so it needs one")
    with (
        progress() as show,
        open_evaluation(real, fake, protocol, repeats=repeats, seed=seed, settings=chosen, progress=show) as evaluation,
    ):
        if dry_run:
            from fvd_bench.plan import plan

            planned = plan(evaluation)
        else:
            collection = evaluation.collect(evaluation.read())
            result = evaluation.score(collection)
            if json_file and json_file != "-":
                _keep(Path(json_file), collection, result, wanted=keep_features)
    if dry_run:
        _print_plan(planned)
        return
    print_result(result, json_file, alone=html_file == "-")
    if html_file:
        from fvd_bench.html_report import html_report

        write(html_report(result), html_file)


def _keep(json_file: Path, collection: Collection, result: Result, *, wanted: bool) -> None:
    """Put the features beside the JSON, or say that those of an older result lie there."""
    from fvd_bench import kept

    beside = kept.beside(json_file)
    if wanted:
        kept.save(beside, collection, result)
    elif beside.exists():
        click.echo(f"fvd-bench: warning: {beside} holds the features of an older result; delete it", err=True)


def _print_plan(planned: Plan) -> None:
    from fvd_bench.report import plan_table

    console().print(plan_table(planned))
