"""Evaluation: two sides, networks and a store, open, and what is collected and scored of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from fvd_bench.errors import MetricError
from fvd_bench.evaluation import window_scores
from fvd_bench.evaluation.classes import class_findings, class_panel
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.enough_videos import Unserved
from fvd_bench.evaluation.findings import find, refuse_skipped, shortages, skipped
from fvd_bench.evaluation.ranking import is_window
from fvd_bench.evaluation.result import MotionPanel, Result, SourceInfo
from fvd_bench.evaluation.score import Score, SideCount
from fvd_bench.evaluation.scoring import as_score
from fvd_bench.features.distributed import Share
from fvd_bench.features.engine import Engine
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.given import Given
from fvd_bench.features.jobs import Collected, Job, Target
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import Finding, worst_first
from fvd_bench.inspection.headers import header_findings
from fvd_bench.inspection.motion import Motion, summary
from fvd_bench.inspection.motion_of_sides import MOST_VIDEOS, PassingMotion, evenly_spaced, motions
from fvd_bench.metrics import dependence
from fvd_bench.metrics.measurement import Measured, measure
from fvd_bench.metrics.uncertainty import Sides
from fvd_bench.networks import FeatureExtractor, environment, software
from fvd_bench.progress import Progress, labelled
from fvd_bench.protocols.protocol import Protocol, plain
from fvd_bench.protocols.rules import SIDES, FeatureRule, MetricRule, Side
from fvd_bench.protocols.windows import WINDOW
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
        scores = self.share.once(lambda: self._all_scores(collection))
        motion = self._motion()
        result = self.share.once(lambda: self._result(collection, scores, motion))
        if self.onlooker is not None:
            self.onlooker(collection, result)
        return result

    def _all_scores(self, collection: Collection) -> list[Score]:
        scores: list[Score] = []
        first = next(p for p in self.protocols if p not in self.unserved)
        for protocol in self.protocols:
            repeats = collection.repeats(protocol)
            if protocol is first and self.group_by is None:
                names = {side: self.sources[side].names for side in SIDES if not first.clip_rule(side).takes_real}
                repeats = dependence.watch(repeats, names, collection.noticed)
            scores += self._scores(protocol, collection, repeats)
        if all(score.value is None for score in scores):
            raise MetricError("; ".join(dict.fromkeys(f"{score.protocol}: {score.reason}" for score in scores)))
        return scores

    def _result(self, collection: Collection, scores: Sequence[Score], motion: MotionPanel | None) -> Result:
        real, fake = (self.info(side, collection.extractions[side]) for side in SIDES)
        warnings = self._findings(collection, scores, motion)
        panel = None if self.classes is None else class_panel(collection, scores, self.classes)
        if panel is not None:
            warnings += class_findings(panel, self._dims(), {digest: p.metric for digest, p in self._alone().items()})
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
            protocols={digest: plain(alone.choices()) for digest, alone in self._alone().items()},
            motion=motion,
            group_by=self.group_by,
            classes=panel,
        )

    def _findings(self, collection: Collection, scores: Sequence[Score], motion: MotionPanel | None) -> list[Finding]:
        """List what was noticed of both sides and of the scores, but for classes."""
        # Statistics have no videos in which anything could be found. What windows skip is counted, see `window_scores`.
        told = self._jobs_of([p for p in self.protocols if not self.rows.get(p, "").startswith(WINDOW)])
        known = {side for side in SIDES if self.sides[side].given.known is not None}
        collected = {
            job: found for job, found in collection.collected.items() if job in told and job.draw.reads not in known
        }
        measured = self._measured(scores)
        behind = {
            job: videos
            for job in collection.collected
            if job in told & measured.keys() and (videos := self.sides[job.draw.reads].given.known_videos) is not None
        }
        judged = [score for score in scores if not is_window(score)]
        findings = find(
            self.sources,
            collected,
            judged,
            self.extractors,
            motion,
            self.store.damaged,
            measured,
            behind,
        )
        findings += window_scores.findings(scores, collection.spreads, {p.name: p.real for p in self.protocols})
        scored = self._scored(scores)
        findings += [Finding("not-comparable", f"{p.name}: {p.not_comparable}") for p in scored if p.not_comparable]
        findings += collection.noticed
        givens = {name: side.given for name, side in self.sides.items()}
        findings += header_findings(
            givens,
            {name: side.store for name, side in self.sides.items()},
            {side: extraction.contents for side, extraction in collection.extractions.items()},
            versions=environment.feature_versions(self.device),
            workers=self.workers,
        )
        here = self.versions()
        findings += [finding for side, given in givens.items() for finding in given.findings(side, here)]
        return [*findings, *self._ungrouped()]

    def _ungrouped(self) -> Iterator[Finding]:
        """Say which sides are moments, whose videos cannot count as the groups that were asked for."""
        for side, opened in self.sides.items():
            known = opened.given.known
            if self.group_by is not None and known is not None and known.pieces is not None:
                yield Finding(
                    "not-independent",
                    f"the {side} side is moments, in which each video counts by itself: group_by holds for the other "
                    "side alone, and the interval may be too narrow",
                    side=side,
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

    def _jobs_of(self, protocols: Sequence[Protocol]) -> set[Job]:
        return {job for p in protocols for side in SIDES for job in self.jobs(p, side)}

    def _alone(self) -> dict[str, Protocol]:
        """Return the protocol of each score, with its metric alone, by its digest."""
        return {alone.digest(): alone for p in self.protocols for alone in map(p.alone, p.metric.names)}

    def _scored(self, scores: Sequence[Score]) -> dict[Protocol, list[MetricRule]]:
        """Return the protocols of which a score has a value, with the rule of each metric that has one."""
        digests = {score.digest for score in scores if score.value is not None}
        rules = {p: [a.metric for a in map(p.alone, p.metric.names) if a.digest() in digests] for p in self.protocols}
        return {p: measured for p, measured in rules.items() if measured}

    def _measured(self, scores: Sequence[Score]) -> dict[Job, list[MetricRule]]:
        """Return the rules of the metrics that have a value of each job."""
        found: dict[Job, list[MetricRule]] = {}
        for protocol, rules in self._scored(scores).items():
            for job in self._jobs_of([protocol]):
                found.setdefault(job, []).extend(rules)
        return found

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

    def _scores(self, protocol: Protocol, collection: Collection, repeats: Iterator[Sides]) -> list[Score]:
        """Compute one score per metric of the protocol. repeats: the features of both sides, from the collection."""
        if protocol in self.unserved:
            lost = self.unserved[protocol]
            unused = {side: SideCount(0, lost.skipped.get(side, ())) for side in SIDES}
            return [self._score(protocol, name, None, lost.reason, unused) for name in protocol.metric.names]
        jobs = {side: self.jobs(protocol, side) for side in SIDES}
        refusals = [collection.collected[job].refused for side in SIDES for job in jobs[side]]
        failure = next((refusal for refusal in refusals if refusal), None)
        measured: Mapping[str, Measured | MetricError] = {}
        if failure is None:
            self.progress(f"scores of {protocol.name}", 0, 1)
            takes_real = protocol.fake.takes_real
            measured = measure(repeats, protocol.metric, seed=self.seeds[0], same_videos=takes_real)
            self.progress(f"scores of {protocol.name}", 1, 1)
        counts = {
            side: SideCount(collection.clips(protocol, side), skipped(jobs[side], collection.collected))
            for side in SIDES
        }
        scores = []
        for name in protocol.metric.names:
            found = measured.get(name)
            if isinstance(found, Measured):
                collection.spreads[protocol.alone(name).digest()] = found.spread
            if isinstance(found, MetricError):
                why = "; ".join([str(found), *shortages(jobs, collection.collected)])
                scores.append(self._score(protocol, name, None, why, counts))
            else:
                scores.append(self._score(protocol, name, found, failure, counts))
        return scores

    def _score(
        self,
        protocol: Protocol,
        metric: str,
        measured: Measured | None,
        reason: str | None,
        counts: Mapping[Side, SideCount],
    ) -> Score:
        extractor = self.extractors.get(protocol.features)
        return as_score(
            measured,
            metric,
            protocol,
            reason=reason,
            counts=counts,
            weights=extractor.weights if extractor else None,
            software=environment.made_with(software(protocol.features), self.device),
            seeds=self.seeds,
            row=self.rows.get(protocol),
        )
