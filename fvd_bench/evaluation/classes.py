"""Scores by class: what a generator that is told a class scores against the real videos of that class alone.

The score of all videos cannot tell whether a generator makes the right videos for each class, or right ones for none.
So the features that made it are parted by the class of their video, and each class is scored by itself. The mean over
classes counts each of them alike, however many videos it has.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.evaluation import small_sample_bias
from fvd_bench.evaluation.result import ClassPanel, ClassScore, ScoreByClass
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.finding import Finding, some
from fvd_bench.metrics.uncertainty import Spread
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES, MetricRule, Side
from fvd_bench.words import counted

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.score import Score


def class_panel(collection: Collection, scores: Sequence[Score], by: str) -> ClassPanel:
    """Score each class under each protocol that has a score of all videos. Raises CacheError.

    scores: those of all videos. by: how classes were found, see `Settings`.
    """
    found: list[ScoreByClass] = []
    for protocol in collection.evaluation.protocols:
        of_all = [s for s in scores if s.protocol == protocol.name and s.row is None and s.value is not None]
        if of_all:
            names = sorted({name for side in SIDES for name in _names(collection, protocol, side)})
            rows = [_class_scores(collection, protocol, name) for name in names]
            found += [_score_by_class(score, [of_class[score.metric] for of_class in rows]) for score in of_all]
    return ClassPanel(by, tuple(found))


def class_findings(panel: ClassPanel, dims: Mapping[str, int], rules: Mapping[str, MetricRule]) -> Iterator[Finding]:
    """Yield warnings of classes that are on one side alone, and of those with few videos.

    dims, rules: by the digest of a score, the length of its features, and the rule of its metric.
    """
    missing: dict[Side, dict[str, str]] = {side: {} for side in SIDES}
    few: dict[str, str] = {}
    moved = small_sample_bias.moved(rules[score.digest] for score in panel.scores)
    for score in panel.scores:
        for one in score.classes:
            counts: dict[Side, int] = {"real": one.real_videos, "fake": one.fake_videos}
            lacking = [side for side in SIDES if not counts[side]]
            for side in lacking:
                missing[side][one.name] = f"{counts[OTHER_SIDE[side]]} {OTHER_SIDE[side]}"
            if not lacking and score.metric in moved and min(counts.values()) < dims[score.digest]:
                few[one.name] = f"{counts['real']} real, {counts['fake']} fake"
    for side, classes in missing.items():
        if classes:
            what = f"{counted(len(classes), 'class', 'have')} no {side} videos, and so no score: {some(classes)}"
            yield Finding("class-missing", what, classes, side)
    if few:
        dim = max(dims.values())
        what = f"{counted(len(few), 'class', 'have')} fewer videos than features have numbers, up to {dim}"
        of_all = {score.metric for score in panel.scores} == moved.keys()
        yield Finding("few-of-class", f"{what}, {small_sample_bias.effect(moved, of_all=of_all)}: {some(few)}", few)


def _names(collection: Collection, protocol: Protocol, side: Side) -> Iterator[str]:
    """Yield the classes of the videos that were used of a side, in every repeat."""
    for job in collection.evaluation.jobs(protocol, side):
        classes = collection.evaluation.sides[job.draw.reads].classes
        assert classes is not None
        yield from (classes[video] for video in collection.collected[job].videos)


def _class_scores(collection: Collection, protocol: Protocol, name: str) -> dict[str, ClassScore]:
    """Score one class by each metric, holding its features of one repeat at a time. Raises CacheError."""
    repeats = len(collection.evaluation.seeds)
    videos: dict[Side, set[int]] = {side: set() for side in SIDES}
    clips: dict[Side, int] = {}
    spreads = {m: Spread(m, protocol.metric.alone(m), protocol.fake.takes_real) for m in protocol.metric.names}
    values: dict[str, list[float]] = {metric: [] for metric in spreads}
    failed: dict[str, str] = {}
    for repeat in range(repeats):
        sides = {side: _features(collection, protocol, side, name, repeat, videos[side]) for side in SIDES}
        if repeat == 0:
            clips = {side: features.count for side, features in sides.items()}
        for metric, spread in spreads.items():
            if metric not in failed:
                try:
                    values[metric].append(metrics.compute(metric, sides["real"], sides["fake"], spread.rule))
                    spread.add(sides)
                except MetricError as error:
                    failed[metric] = str(error)
    row = ClassScore(
        name=name,
        real_videos=len(videos["real"]),
        fake_videos=len(videos["fake"]),
        real_clips=clips["real"],
        fake_clips=clips["fake"],
    )
    if lacking := [side for side in SIDES if not videos[side]]:
        return dict.fromkeys(spreads, replace(row, reason=f"no {' and no '.join(lacking)} videos"))
    return {
        metric: replace(row, reason=failed[metric]) if metric in failed else _measured(row, spread, values[metric])
        for metric, spread in spreads.items()
    }


def _measured(row: ClassScore, spread: Spread, values: Sequence[float]) -> ClassScore:
    mean = statistics.fmean(values)
    return replace(row, value=mean, interval=None if spread.unknown() else spread.interval(mean))


def _features(
    collection: Collection, protocol: Protocol, side: Side, name: str, repeat: int, videos: set[int]
) -> FeatureSet:
    """Return the features of one class of a side in one repeat, and add its videos to `videos`."""
    evaluation = collection.evaluation
    job = evaluation.jobs(protocol, side)[repeat]
    source, collected = evaluation.sides[job.draw.reads], collection.collected[job]
    assert source.classes is not None
    of_class = [place for place, video in enumerate(collected.videos) if source.classes[video] == name]
    collected = replace(
        collected,
        keys=[collected.keys[place] for place in of_class],
        videos=[collected.videos[place] for place in of_class],
    )
    videos.update(collected.videos)
    return collection.extractions[job.draw.reads].feature_set(job, collected, source.groups)


def _score_by_class(score: Score, rows: Sequence[ClassScore]) -> ScoreByClass:
    values = [row.value for row in rows if row.value is not None]
    return ScoreByClass(
        protocol=score.protocol,
        metric=score.metric,
        digest=score.digest,
        value=score.value,
        mean=statistics.fmean(values) if values else None,
        classes=tuple(rows),
    )
