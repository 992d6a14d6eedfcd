"""compute: the score."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fvd_bench.cli import ranking
from fvd_bench.cli.command import Command
from fvd_bench.cli.kept_features import KeptFeatures
from fvd_bench.cli.options import chosen_settings, engine_options, format_option, protocol_names, ranking_options
from fvd_bench.cli.pages import CLIPS_AND_CHARTS, Showing, html_option
from fvd_bench.cli.streams import (
    STDOUT,
    TEXT,
    check_outputs,
    console,
    delivery,
    print_result,
    progress,
    stdout_of,
    wrote,
)
from fvd_bench.settings import MOST_WINDOWS

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.details.exhibits import Exhibits
    from fvd_bench.evaluation.details.per_video import VideoRecord
    from fvd_bench.evaluation.evaluation import Evaluation
    from fvd_bench.evaluation.manifest import Manifest
    from fvd_bench.evaluation.result import Result
    from fvd_bench.progress import Progress
    from fvd_bench.reports.page import Made, Page
    from fvd_bench.settings import Settings
    from fvd_bench.sources.opening import Arrays


@click.command(cls=Command)
@ranking_options
@format_option("score", "json", "csv", "markdown", "latex")
@click.option("--protocol", multiple=True, default=["stylegan-v-fvd16"], show_default=True, metavar="NAME|FILE",
              shell_complete=protocol_names,
              help="How to score; may be given several times. See `fvd-bench protocols list`.")  # fmt: skip
@html_option(CLIPS_AND_CHARTS)
@click.option("--per-video", "per_video_file", metavar="FILE.csv",
              help="Write what each video adds to the score, and what is near to it; - for stdout alone.")  # fmt: skip
@click.option("--motion", is_flag=True, help="Also score the real videos shuffled, frozen and reversed, as a scale.")
@click.option("--windows", default=0, type=click.IntRange(0, MOST_WINDOWS), metavar="N",
              help="Also score the first N windows of the fake videos: frames 0 to 15, 16 to 31, …")  # fmt: skip
@click.option("--classes", metavar="PATTERN",
              help="Also score each class by itself: folder for that of each video, a column of a list of videos, "
              "column:NAME, or one of a table, FILE.csv:COLUMN, or a regular expression for names.")  # fmt: skip
@click.option("--keep-features", is_flag=True, help="Keep the features beside the JSON, for check and compare.")
@click.option("--manifest", "manifest_file", metavar="FILE", help="Write which frames of which videos were used.")
@click.option("--replay", "replay_file", metavar="FILE", help="Use the frames that a manifest names.")
@engine_options
@click.option("--dry-run", is_flag=True, help="Say what would be scored and skipped, and for how long; score nothing.")
def compute(
    real: str | Path | Arrays,
    fake: dict[str, str | Path | Arrays],
    protocol: tuple[str, ...],
    repeats: int,
    seed: int,
    json_file: str | None,
    form: str,
    html_file: str | None,
    per_video_file: str | None,
    keep_features: bool,
    manifest_file: str | None,
    replay_file: str | None,
    dry_run: bool,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Score the videos in one folder against those in another. Several fake sides are ranked."""
    showing = Showing(html_file, of_one=len(fake) == 1)
    chosen = chosen_settings(**settings, onlooker=showing.onlooker)
    kept = KeptFeatures(json_file, len(fake), wanted=keep_features)
    files = json_file, html_file, per_video_file, manifest_file, *kept.files
    check_outputs(stdout_of(form), *files, read=(real, *fake.values(), replay_file))
    if manifest_file == STDOUT:
        raise click.UsageError("--manifest goes to a FILE, since stdout is for the result")
    if len(fake) > 1 and (manifest_file or replay_file or chosen.classes):
        raise click.UsageError("--manifest, --replay and --classes are of one --fake: give one at a time")
    if dry_run:
        if any(files) or replay_file or form != TEXT:
            raise click.UsageError(
                "--dry-run scores nothing, so there is no --format, --json, --html, --per-video, --manifest or "
                "--replay of it"
            )
        _dry_run(real, fake, protocol, repeats=repeats, seed=seed, settings=chosen)
        return
    if len(fake) > 1:
        ranking.compute(
            real, fake, protocol, repeats=repeats, seed=seed, form=form, showing=showing,
            per_video_file=per_video_file, kept=kept, settings=chosen,
        )  # fmt: skip
        return
    (only,) = fake.values()
    opened = partial(
        _opened, real, only, protocol, repeats=repeats, seed=seed, replay_file=replay_file, settings=chosen
    )
    _compute_one(opened, form, showing, per_video_file, manifest_file, kept)


def _compute_one(
    opened: Callable[..., AbstractContextManager[tuple[Evaluation, Manifest | None]]],
    form: str,
    showing: Showing,
    per_video_file: str | None,
    manifest_file: str | None,
    kept: KeptFeatures,
) -> None:
    """Score one fake side, and print and write what was asked for.

    opened: opens the evaluation, with the manifest that it replays or None.
    """
    from fvd_bench.features.distributed import processes

    with kept.open(), delivery() as attempt:
        with (
            processes() as first,
            progress(shown=first) as show,
            opened(show=show) as (evaluation, replayed),
        ):
            if manifest_file:
                _check_recordable(evaluation)
            collection, result = _scored(evaluation, replayed)
            videos = _videos(collection, result) if per_video_file else []
            if manifest_file and first:
                attempt(lambda: _record(Path(manifest_file), collection, result))
            if first:
                attempt(lambda: kept.keep(0, collection, result))
        if first:
            texts = showing.text(partial(_page, result)), (per_video_file, lambda: _csv(videos))
            attempt(lambda: kept.write(result.to_json))
            attempt(lambda: print_result(result, kept.json_file, *texts, form=form))


def _dry_run(
    real: str | Path | Arrays,
    fakes: Mapping[str, str | Path | Arrays],
    protocol: tuple[str, ...],
    *,
    repeats: int,
    seed: int,
    settings: Settings,
) -> None:
    """Say what scoring would use and skip, and how long it would take. Raises MetricError where there would be no
    score."""
    from fvd_bench.evaluation.evaluate import open_evaluation
    from fvd_bench.evaluation.plan import check_weights, plan
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.plan import plan_table

    check_weights(protocol, settings)
    if len(fakes) > 1:
        ranking.dry_run(real, fakes, protocol, repeats=repeats, seed=seed, settings=settings)
        return
    (fake,) = fakes.values()
    with (
        processes() as first,
        progress(shown=first) as show,
        open_evaluation(
            real, fake, protocol, repeats=repeats, seed=seed, settings=settings, progress=show
        ) as evaluation,
    ):
        planned = plan(evaluation)
    if first:
        console().print(plan_table({"": planned}))
        planned.check_possible()


_OF_THE_MANIFEST = ("protocol", "repeats", "seed")


@contextlib.contextmanager
def _opened(
    real: str | Path | Arrays,
    fake: str | Path | Arrays,
    protocol: tuple[str, ...],
    *,
    repeats: int,
    seed: int,
    replay_file: str | None,
    settings: Settings,
    show: Progress,
) -> Iterator[tuple[Evaluation, Manifest | None]]:
    """Open the evaluation that the options describe, with the manifest that it replays or None."""
    if replay_file is None:
        from fvd_bench.evaluation.evaluate import open_evaluation

        with open_evaluation(
            real, fake, protocol, repeats=repeats, seed=seed, settings=settings, progress=show
        ) as evaluation:
            yield evaluation, None
        return
    from fvd_bench.evaluation.manifest import load
    from fvd_bench.evaluation.replay import open_replay

    given = [f"--{name}" for name in _OF_THE_MANIFEST if _is_given(name)]
    if given:
        raise click.UsageError(f"--replay takes protocols and seeds from its manifest: leave out {', '.join(given)}")
    replayed = load(Path(replay_file))
    with open_replay(replayed, real, fake, settings=settings, progress=show) as evaluation:
        yield evaluation, replayed


def _is_given(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT


def _scored(evaluation: Evaluation, replayed: Manifest | None) -> tuple[Collection, Result]:
    """Collect and score, and say what is not as in the manifest that is replayed."""
    from fvd_bench.evaluation.collection import collect  # after what may be refused at once
    from fvd_bench.evaluation.collection_result import result_of

    collection = collect(evaluation)
    if replayed is None:
        return collection, result_of(collection)
    from fvd_bench.evaluation.replay import check_frames, with_differences

    check_frames(replayed, collection)
    return collection, with_differences(replayed, result_of(collection))


def _check_recordable(evaluation: Evaluation) -> None:
    from fvd_bench.evaluation import manifest

    manifest.check_recordable(evaluation)


def _record(file: Path, collection: Collection, result: Result) -> None:
    from fvd_bench.evaluation import manifest

    manifest.record(collection, result).write(file)
    wrote(file)


def _videos(collection: Collection, result: Result) -> list[VideoRecord]:
    from fvd_bench.evaluation.details.per_video import all_videos

    return all_videos(collection, result)


def _csv(videos: list[VideoRecord]) -> str:
    from fvd_bench.evaluation.details.per_video import records_csv

    return records_csv(videos)


def _page(result: Result, exhibits: Exhibits | None, made: Made) -> Page:
    from fvd_bench.reports.page import result_page

    return result_page(result, exhibits, made)
