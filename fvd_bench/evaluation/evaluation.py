"""Evaluation: two sides, networks and a store, open, and what is collected and scored of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from fvd_bench.evaluation.classes import class_findings, class_panel
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.collection_findings import findings_of
from fvd_bench.evaluation.collection_scores import scores_of
from fvd_bench.evaluation.enough_videos import Unserved
from fvd_bench.evaluation.findings import refuse_skipped
from fvd_bench.evaluation.result import MotionPanel, Result, SourceInfo
from fvd_bench.evaluation.score import Score
from fvd_bench.features.distributed import Share
from fvd_bench.features.engine import Engine
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.given import Given
from fvd_bench.features.jobs import Collected, Job, Target
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import Finding, worst_first
from fvd_bench.inspection.motion import Motion, summary
from fvd_bench.inspection.motion_of_sides import MOST_VIDEOS, PassingMotion, evenly_spaced, motions
from fvd_bench.metrics import dependence
from fvd_bench.networks import FeatureExtractor, environment, software
from fvd_bench.progress import Progress, labelled
from fvd_bench.protocols.protocol import Protocol, plain
from fvd_bench.protocols.rules import SIDES, FeatureRule, Side
from fvd_bench.sources.opening import ClipSource
from fvd_bench.version import __version__
from fvd_bench.videos.clips import Draw


@dataclass(frozen=True, slots=True)
class OpenSide:
    """A side, the store that its features are in, and the group and class of each video (see `dependence.labels`).

    classes: None where none are asked for.
    """

    given: Given
    store: FeatureStore
    groups: Sequence[int]
    classes: Sequence[str] | None

    @classmethod
    def of(cls, given: Given, store: FeatureStore, group_by: str | None, classes: str | None) -> OpenSide:
        """Find the groups and classes of a side. Raises FvdBenchError as `dependence.labels` does."""
        names, columns = given.source.names, given.columns
        groups, found = dependence.groups(names, group_by, columns), None
        if classes is not None:
            found = ["/".join(label) for label in dependence.labels(names, classes, columns, what="classes")]
        return cls(given, store, groups, found)

    @property
    def motion_versions(self) -> Mapping[str, str]:
        """The versions of all software that can change the measured motion of its videos."""
        return self.given.motion_versions(environment.feature_versions("cpu"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """An evaluation with its sources, networks and store open.

    rows: protocol -> the row that its scores have in a table, for protocols that have one.
    unserved: protocol -> why it gets no score, such as a network that cannot be had.
    store: the store for sides whose features are made here. share: the part of the videos that this process reads.
    engine: what computes features, None for this process.
    seeds: one per repeat. onlooker: see `Settings`. started: when the evaluation began, by a monotonic clock.
    """

    protocols: Sequence[Protocol]
    rows: Mapping[Protocol, str]
    unserved: Mapping[Protocol, Unserved]
    sides: Mapping[Side, OpenSide]
    extractors: Mapping[FeatureRule, FeatureExtractor]
    store: FeatureStore
    share: Share
    engine: Engine | None
    seeds: range
    device: str
    workers: int
    strict: bool
    group_by: str | None
    classes: str | None
    onlooker: Callable[[Collection, Result], None] | None
    progress: Progress
    started: float

    @property
    def sources(self) -> dict[Side, ClipSource]:
        """The source of each side: its names and videos."""
        return {name: side.given.source for name, side in self.sides.items()}

    def extraction(self, side: Side, share: Share | None = None) -> Extraction:
        """Read the files of a side to digest their contents. share: the part to read, None for this process's own."""
        given = self.sides[side].given
        return Extraction(
            given.source,
            self.sides[side].store,
            self.extractors,
            versions=given.versions(environment.feature_versions(self.device)),
            workers=self.workers,
            progress=labelled(self.progress, f"reading {side} files"),
            share=given.share(share or self.share),
            engine=self.engine if given.has_frames else None,
        )

    def missing(self, side: Side) -> list[Target]:
        """List what the store lacks of a side before any network runs, see `Extraction.missing`."""
        return self.extraction(side).missing(self.jobs_reading(side))

    def check_given(self, side: Side) -> None:
        """Raise SourceError where a side that was given as features cannot serve what is asked of it."""
        given = self.sides[side].given
        given.check_jobs(self.jobs_reading(side), self.extractors)
        given.check_holds(partial(self.missing, side))

    def jobs(self, protocol: Protocol, side: Side) -> list[Job]:
        """List the jobs of a protocol on a side, one per repeat."""
        return [Job(Draw(protocol.clip_rule(side), side, seed), protocol.features) for seed in self.seeds]

    def jobs_reading(self, source: Side) -> list[Job]:
        """List all jobs that read the videos of a side."""
        served = [p for p in self.protocols if p not in self.unserved]
        jobs = [job for p in served for side in SIDES for job in self.jobs(p, side) if job.draw.reads == source]
        return list(dict.fromkeys(jobs))

    def run(self) -> Result:
        """Collect all features and compute all scores. Raises as `evaluate` does."""
        return self.score(self.collect(self.read()))

    def read(self) -> dict[Side, Extraction]:
        """Read the files of both sides."""
        return {side: self.extraction(side) for side in SIDES}

    def collect(self, extractions: Mapping[Side, Extraction]) -> Collection:
        """Make sure that the store holds all features. Raises as `evaluate` does."""
        collected: dict[Job, Collected] = {}
        for side, extraction in extractions.items():
            show = labelled(self.progress, f"{side} videos")
            passing = self.passing_motion(side, extraction)
            found = extraction.collect(self.jobs_reading(side), show, watch=passing)
            passing.store()
            for of_job in found.values():
                of_job.skipped.update(self.sides[side].given.skipped)
            collected |= found
        if self.strict:
            refuse_skipped(collected)
        return Collection(self, extractions, collected)

    def score(self, collection: Collection) -> Result:
        """Compute all scores, in one of the processes on behalf of all. Raises MetricError when there are none."""
        scores = self.share.once(lambda: scores_of(collection))
        motion = self._motion()
        result = self.share.once(lambda: self._result(collection, scores, motion))
        if self.onlooker is not None:
            self.onlooker(collection, result)
        return result

    def _result(self, collection: Collection, scores: Sequence[Score], motion: MotionPanel | None) -> Result:
        real, fake = (self.info(side, collection.extractions[side]) for side in SIDES)
        warnings = findings_of(collection, scores, motion)
        panel = None if self.classes is None else class_panel(collection, scores, self.classes)
        if panel is not None:
            warnings += class_findings(panel, self._dims())
        if real.fingerprint == fake.fingerprint:
            warnings.append(Finding("same-videos", "the real and the fake side hold the same videos"))
        return Result(
            fvd_bench=__version__,
            scores=tuple(scores),
            real=real,
            fake=fake,
            warnings=tuple(worst_first(warnings)),
            weights={name: digest for e in self.extractors.values() for name, digest in e.weights.items()},
            environment=environment.describe(
                self.device, [rule.precision for rule in self.extractors], self._software()
            ),
            seconds=round(time.monotonic() - self.started, 3),
            protocols={
                alone.digest(): plain(alone.choices()) for p in self.protocols for alone in map(p.alone, p.metric.names)
            },
            motion=motion,
            group_by=self.group_by,
            classes=panel,
        )

    def info(self, side: Side, extraction: Extraction) -> SourceInfo:
        """Describe a side, of which this extraction has read the contents."""
        given = self.sides[side].given
        source = given.source
        return SourceInfo(source.name, source.kind, len(source.names), given.fingerprint(extraction.contents))

    def _dims(self) -> dict[str, int]:
        """Return the length of the features that a score is made of, by its digest."""
        served = [p for p in self.protocols if p.features in self.extractors]
        return {p.alone(name).digest(): self.extractors[p.features].dim for p in served for name in p.metric.names}

    def versions(self) -> dict[str, str]:
        """Return the versions of all software that can change the features."""
        return environment.feature_versions(self.device) | environment.versions(self._software())

    def _software(self) -> set[str]:
        """Return the packages that the layers of its networks are from."""
        return {package for rule in self.extractors for package in software(rule)}

    def motions(self, name: Side, *, most: int | None = MOST_VIDEOS) -> dict[int, Motion]:
        """Measure how the videos of a side move, by their index. most: how many are looked at, None for all."""
        side, videos = self.sides[name], len(self.sources[name].names)
        return motions(
            side.given.source,
            side.store,
            evenly_spaced(videos, most or videos),
            versions=side.motion_versions,
            workers=self.workers,
            progress=labelled(self.progress, f"motion of {name} videos"),
            share=side.given.share(self.share),
        )

    def passing_motion(self, name: Side, extraction: Extraction) -> PassingMotion:
        """Return what measures the motion of a side's videos while they are read by this extraction."""
        side = self.sides[name]
        chosen = evenly_spaced(len(side.given.source.names), MOST_VIDEOS)
        return PassingMotion(side.store, chosen, extraction.contents, versions=side.motion_versions)

    def _motion(self) -> MotionPanel | None:
        """Sum up how both sides move, None where a side has no videos of two frames."""
        real, fake = (summary(list(self.motions(name).values())) for name in SIDES)
        return MotionPanel(real, fake) if real and fake else None
