"""Scores by class: what a generator that is told a class scores against the real videos of that class alone.

The score of all videos cannot tell whether a generator makes the right videos for each class, or right ones for none.
So the features that made it are parted by the class of their video, and each class is scored by itself. The mean over
classes counts each of them alike, however many videos it has.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.evaluation.result import ClassPanel, ClassScore, ScoreByClass
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.finding import Finding, some
from fvd_bench.metrics.uncertainty import Sides, Spread
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES, Side

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Collection
    from fvd_bench.evaluation.result import Score


@dataclass(slots=True)
class _Class:
    """A class: its features on each side, for each repeat, and its videos on each side."""

    repeats: list[dict[Side, FeatureSet]] = field(default_factory=list)
    videos: dict[Side, set[int]] = field(default_factory=lambda: {side: set() for side in SIDES})


def class_panel(collection: Collection, scores: Sequence[Score], by: str) -> ClassPanel:
    """Score each class under each protocol that has a score of all videos. Raises CacheError.

    scores: those of all videos. by: how classes were found, see `Settings`.
    """
    found = []
    for protocol in collection.evaluation.protocols:
        of_all = {s.metric: s for s in scores if s.protocol == protocol.name and s.row is None and s.value is not None}
        if of_all:
            classes = _parted(collection, protocol)
            found += [_score_by_class(protocol, of_all[name], classes) for name in of_all]
    return ClassPanel(by, tuple(found))


def class_findings(panel: ClassPanel, dims: Mapping[str, int]) -> Iterator[Finding]:
    """Yield warnings of classes that are on one side alone, and of those with few videos.

    dims: by the digest of a score, the length of its features.
    """
    missing: dict[Side, dict[str, str]] = {side: {} for side in SIDES}
    few: dict[str, str] = {}
    for score in panel.scores:
        for one in score.classes:
            counts: dict[Side, int] = {"real": one.real_videos, "fake": one.fake_videos}
            lacking = [side for side in SIDES if not counts[side]]
            for side in lacking:
                missing[side][one.name] = f"{counts[OTHER_SIDE[side]]} {OTHER_SIDE[side]}"
            if not lacking and min(counts.values()) < dims[score.digest]:
                few[one.name] = f"{counts['real']} real, {counts['fake']} fake"
    for side, classes in missing.items():
        if classes:
            what = f"{len(classes)} classes have no {side} videos, and so no score: {some(classes)}"
            yield Finding("class-missing", what, classes, side)
    if few:
        dim = max(dims.values())
        yield Finding(
            "few-of-class",
            f"{len(few)} classes have fewer videos than features have numbers, up to {dim}, which raises their scores, "
            f"and more so the fewer there are; compare them only with others at the same numbers: {some(few)}",
            few,
        )


def _parted(collection: Collection, protocol: Protocol) -> dict[str, _Class]:
    """Return the features of each class, in the order of their names."""
    evaluation = collection.evaluation
    classes: dict[str, _Class] = {}
    dim = evaluation.extractors[protocol.features].dim
    for repeat in range(len(evaluation.seeds)):
        for side in SIDES:
            job = evaluation.jobs(protocol, side)[repeat]
            source = evaluation.sides[job.draw.reads]
            assert source.classes is not None
            for video, features in collection.extractions[job.draw.reads].features(collection.collected[job]):
                found = classes.setdefault(source.classes[video], _Class())
                while len(found.repeats) <= repeat:
                    found.repeats.append({one: FeatureSet(dim) for one in SIDES})
                found.repeats[repeat][side].add(features, video=source.groups[video])
                found.videos[side].add(video)
    return dict(sorted(classes.items()))


def _score_by_class(protocol: Protocol, score: Score, classes: Mapping[str, _Class]) -> ScoreByClass:
    rows = tuple(_class_score(name, one, protocol, score.metric) for name, one in classes.items())
    values = [row.value for row in rows if row.value is not None]
    return ScoreByClass(
        protocol=protocol.name,
        metric=score.metric,
        digest=score.digest,
        value=score.value,
        mean=statistics.fmean(values) if values else None,
        classes=rows,
    )


def _class_score(name: str, one: _Class, protocol: Protocol, metric: str) -> ClassScore:
    row = ClassScore(
        name=name,
        real_videos=len(one.videos["real"]),
        fake_videos=len(one.videos["fake"]),
        real_clips=one.repeats[0]["real"].count,
        fake_clips=one.repeats[0]["fake"].count,
    )
    if lacking := [side for side in SIDES if not one.videos[side]]:
        return replace(row, reason=f"no {' and no '.join(lacking)} videos")
    spread = Spread(metric, protocol.metric.alone(metric), protocol.fake.takes_real)
    try:
        values = [_value(spread, sides) for sides in one.repeats]
    except MetricError as error:
        return replace(row, reason=str(error))
    mean = statistics.fmean(values)
    interval = None if spread.unknown() else spread.interval(mean)
    return replace(row, value=mean, interval=interval)


def _value(spread: Spread, sides: Sides) -> float:
    value = metrics.compute(spread.name, sides["real"], sides["fake"], spread.rule)
    spread.add(sides)
    return value
