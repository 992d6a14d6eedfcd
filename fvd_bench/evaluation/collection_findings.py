"""What was noticed of a collection: of both sides, of their files, and of the scores that came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fvd_bench.evaluation.findings import find
from fvd_bench.evaluation.result import MotionPanel
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.window_scores import findings as window_findings
from fvd_bench.evaluation.window_scores import is_window
from fvd_bench.features.jobs import Job
from fvd_bench.finding import Finding
from fvd_bench.inspection.headers import header_findings
from fvd_bench.networks import environment
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, MetricRule
from fvd_bench.protocols.variants import SCALE
from fvd_bench.protocols.windows import WINDOW

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection
    from fvd_bench.evaluation.evaluation import Evaluation

_BESIDE = (WINDOW, SCALE)
"""How the rows of scores begin that stand beside those of protocols: of windows, and of real videos as fake ones."""


def findings_of(collection: Collection, scores: Sequence[Score], motion: MotionPanel | None) -> list[Finding]:
    """List what was noticed, but for classes."""
    evaluation = collection.evaluation
    scored = _scored(evaluation, scores)
    givens = {side: opened.given for side, opened in evaluation.sides.items()}
    here = evaluation.versions()
    return [
        *_of_videos_and_scores(collection, scores, scored, motion),
        *window_findings(scores, collection.spreads, {p.name: p.real for p in evaluation.protocols}),
        *(Finding("not-comparable", f"{p.name}: {p.not_comparable}") for p in scored if p.not_comparable),
        *collection.noticed,
        *header_findings(
            givens,
            {side: opened.store for side, opened in evaluation.sides.items()},
            {side: extraction.contents for side, extraction in collection.extractions.items()},
            versions=environment.feature_versions(evaluation.device),
            workers=evaluation.workers,
        ),
        *(finding for side, given in givens.items() for finding in given.findings(side, here)),
        *_ungrouped(evaluation),
    ]


def _of_videos_and_scores(
    collection: Collection,
    scores: Sequence[Score],
    scored: Mapping[Protocol, Sequence[MetricRule]],
    motion: MotionPanel | None,
) -> list[Finding]:
    """List what `find` says. scored: the protocols of which a score has a value, see `_scored`."""
    evaluation, sides = collection.evaluation, collection.evaluation.sides
    # Statistics have no videos in which anything could be found. What windows skip is counted, see `window_findings`.
    # The fake side of the scale of motion is the real videos, of which the protocol itself tells.
    rows = evaluation.rows
    told = _jobs_of(evaluation, [p for p in evaluation.protocols if not rows.get(p, "").startswith(_BESIDE)])
    known = {side for side in SIDES if sides[side].given.known is not None}
    measured: dict[Job, list[MetricRule]] = {}
    for protocol, rules in scored.items():
        for job in _jobs_of(evaluation, [protocol]):
            measured.setdefault(job, []).extend(rules)
    behind = {
        job: videos
        for job in collection.collected
        if job in told & measured.keys() and (videos := sides[job.draw.reads].given.known_videos) is not None
    }
    own = [score for score in scores if not (score.row or "").startswith(_BESIDE)]
    digests = {score.digest for score in own}
    windows = [score for score in scores if is_window(score) and score.digest not in digests]
    return find(
        evaluation.sources,
        {job: found for job, found in collection.collected.items() if job in told and job.draw.reads not in known},
        [*own, *windows],
        evaluation.extractors,
        motion,
        evaluation.store.damaged,
        measured,
        behind,
    )


def _ungrouped(evaluation: Evaluation) -> Iterator[Finding]:
    """Say which sides are moments, whose videos cannot count as the groups that were asked for."""
    for side, opened in evaluation.sides.items():
        known = opened.given.known
        if evaluation.group_by is not None and known is not None and known.pieces is not None:
            yield Finding(
                "not-independent",
                f"the {side} side is moments, in which each video counts by itself: group_by holds for the other "
                "side alone, and the interval may be too narrow",
                side=side,
            )


def _jobs_of(evaluation: Evaluation, protocols: Sequence[Protocol]) -> set[Job]:
    return {job for p in protocols for side in SIDES for job in evaluation.jobs(p, side)}


def _scored(evaluation: Evaluation, scores: Sequence[Score]) -> dict[Protocol, list[MetricRule]]:
    """Return the protocols of which a score has a value, with the rule of each metric that has one."""
    digests = {score.digest for score in scores if score.value is not None}
    rules = {
        p: [alone.metric for alone in map(p.alone, p.metric.names) if alone.digest() in digests]
        for p in evaluation.protocols
    }
    return {p: measured for p, measured in rules.items() if measured}
