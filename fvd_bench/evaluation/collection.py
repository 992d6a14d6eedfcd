"""Collection: the features of an evaluation that is open, and what is learnt while they are scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.findings import refuse_skipped
from fvd_bench.evaluation.points import Points, points_of
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.jobs import Collected, Job
from fvd_bench.finding import Finding
from fvd_bench.metrics.uncertainty import Sides, Spread
from fvd_bench.progress import labelled
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, Side


@dataclass(frozen=True, slots=True)
class Collection:
    """The features of an evaluation, valid while that is open.

    noticed: findings made while they were scored. spreads: digest of a score -> what each video contributes to it, from
    when it was scored on, and in the process that scored alone. counts: how many features a job has, once they were
    gone through.
    """

    evaluation: Evaluation
    extractions: Mapping[Side, Extraction]
    collected: Mapping[Job, Collected]
    noticed: list[Finding] = field(default_factory=list)
    spreads: dict[str, Spread] = field(default_factory=dict)
    counts: dict[Job, int] = field(default_factory=dict)
    _points: dict[Protocol, Mapping[Side, Points]] = field(default_factory=dict)

    def repeats(self, protocol: Protocol) -> Iterator[Sides]:
        """Yield the features of both sides for each repeat. The videos of a group count as one. Raises CacheError."""
        for repeat in range(len(self.evaluation.seeds)):
            yield self.sides(protocol, repeat)

    def sides(self, protocol: Protocol, repeat: int = 0, *, grouped: bool = True) -> dict[Side, FeatureSet]:
        """Return the features of both sides for one repeat. grouped: whether the videos of a group count as one.

        Raises CacheError.
        """
        sets: dict[Side, FeatureSet] = {}
        for side in SIDES:
            known = self.evaluation.sides[side].given.known
            if known is not None:
                sets[side] = known
                continue
            job = self.evaluation.jobs(protocol, side)[repeat]
            groups = self.evaluation.sides[job.draw.reads].groups if grouped else None
            sets[side] = self.extractions[job.draw.reads].feature_set(job, self.collected[job], groups)
            self.counts[job] = sets[side].count
        return sets

    def points(self, protocol: Protocol) -> Mapping[Side, Points]:
        """Return the points of each side whose features are known, in the first repeat. They are made once.

        Raises CacheError.
        """
        if protocol not in self._points:
            self._points[protocol] = points_of(self.sides(protocol, grouped=False))
        return self._points[protocol]

    def clips(self, protocol: Protocol, side: Side) -> int:
        """Count the clips (for FID: the frames) of the first repeat; 0 for statistics that do not tell."""
        known = self.evaluation.sides[side].given.known
        if known is not None:
            return known.count
        job = self.evaluation.jobs(protocol, side)[0]
        if job not in self.counts:  # where it was not scored
            features = self.extractions[job.draw.reads].features(self.collected[job])
            self.counts[job] = sum(len(each) for _, each in features)
        return self.counts[job]


def collect(evaluation: Evaluation, extractions: Mapping[Side, Extraction] | None = None) -> Collection:
    """Make sure that the store holds all features that an evaluation needs. Raises as `evaluate` does.

    extractions: of both sides where their files are read already, else they are read first.
    """
    extractions = extractions or evaluation.read()
    collected: dict[Job, Collected] = {}
    for side, extraction in extractions.items():
        show = labelled(evaluation.progress, f"{side} videos")
        passing = evaluation.passing_motion(side, extraction)
        found = extraction.collect(evaluation.jobs_reading(side), show, watch=passing)
        passing.store()
        for of_job in found.values():
            of_job.skipped.update(evaluation.sides[side].given.skipped)
        collected |= found
    if evaluation.strict:
        refuse_skipped(collected)
    return Collection(evaluation, extractions, collected)
