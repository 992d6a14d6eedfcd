"""Evaluation: two sides, networks and a store, open, and the jobs that its protocols set them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fvd_bench.evaluation.feasibility import Unserved
from fvd_bench.evaluation.result import SourceInfo
from fvd_bench.features.distributed import Share
from fvd_bench.features.engine import Engine
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.given import Given
from fvd_bench.features.jobs import Job, Target
from fvd_bench.features.store import FeatureStore
from fvd_bench.inspection.motion import Motion
from fvd_bench.inspection.motion_of_sides import MOST_VIDEOS, PassingMotion, evenly_spaced, motions
from fvd_bench.metrics import dependence
from fvd_bench.networks import FeatureExtractor, environment, versions
from fvd_bench.progress import Progress, labelled
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, FeatureRule, Side
from fvd_bench.sources.opening import ClipSource
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
    onlooker: Callable[[Any, Any], None] | None  # of classes above this one
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
            versions=given.versions(self.versions()),
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

    def read(self) -> dict[Side, Extraction]:
        """Read the files of both sides."""
        return {side: self.extraction(side) for side in SIDES}

    def info(self, side: Side, extraction: Extraction) -> SourceInfo:
        """Describe a side, of which this extraction has read the contents."""
        given = self.sides[side].given
        source = given.source
        return SourceInfo(source.name, source.kind, len(source.names), given.fingerprint(extraction.contents))

    def versions(self) -> dict[str, str]:
        """Return the versions of all software that can change the features."""
        return versions(self.extractors, self.device)

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
