"""The scores of a collection: one per metric of each protocol, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from fvd_bench.errors import MetricError
from fvd_bench.evaluation.findings import shortages, skipped
from fvd_bench.evaluation.score import Score, SideCount
from fvd_bench.evaluation.scoring import as_score
from fvd_bench.metrics import dependence
from fvd_bench.metrics.measurement import Measured, measure
from fvd_bench.metrics.uncertainty import Sides
from fvd_bench.networks import environment, software
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, Side

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection


def scores_of(collection: Collection) -> list[Score]:
    """Compute all scores of an evaluation, in the order of its protocols. Raises MetricError when none has a value.

    What is noticed of the features on the way, and what each video contributes, is left with the collection.
    """
    evaluation = collection.evaluation
    scores: list[Score] = []
    first = next(p for p in evaluation.protocols if p not in evaluation.unserved)
    for protocol in evaluation.protocols:
        repeats = collection.repeats(protocol)
        if protocol is first and evaluation.group_by is None:
            names = {side: evaluation.sources[side].names for side in SIDES if not first.clip_rule(side).takes_real}
            repeats = dependence.watch(repeats, names, collection.noticed)
        scores += _scores(protocol, collection, repeats)
    if all(score.value is None for score in scores):
        raise MetricError("; ".join(dict.fromkeys(f"{score.protocol}: {score.reason}" for score in scores)))
    return scores


def _scores(protocol: Protocol, collection: Collection, repeats: Iterator[Sides]) -> list[Score]:
    """Compute one score per metric of a protocol. repeats: the features of both sides."""
    evaluation = collection.evaluation
    if protocol in evaluation.unserved:
        lost = evaluation.unserved[protocol]
        unused = {side: SideCount(0, lost.skipped.get(side, ())) for side in SIDES}
        return [_score(collection, protocol, name, None, lost.reason, unused) for name in protocol.metric.names]
    jobs = {side: evaluation.jobs(protocol, side) for side in SIDES}
    refusals = [collection.collected[job].refused for side in SIDES for job in jobs[side]]
    failure = next((refusal for refusal in refusals if refusal), None)
    measured: Mapping[str, Measured | MetricError] = {}
    if failure is None:
        evaluation.progress(f"scores of {protocol.name}", 0, 1)
        takes_real = protocol.fake.takes_real
        measured = measure(repeats, protocol.metric, seed=evaluation.seeds[0], same_videos=takes_real)
        evaluation.progress(f"scores of {protocol.name}", 1, 1)
    counts = {
        side: SideCount(collection.clips(protocol, side), skipped(jobs[side], collection.collected)) for side in SIDES
    }
    scores = []
    for name in protocol.metric.names:
        found = measured.get(name)
        if isinstance(found, Measured):
            collection.spreads[protocol.alone(name).digest()] = found.spread
        if isinstance(found, MetricError):
            why = "; ".join([str(found), *shortages(jobs, collection.collected)])
            scores.append(_score(collection, protocol, name, None, why, counts))
        else:
            scores.append(_score(collection, protocol, name, found, failure, counts))
    return scores


def _score(
    collection: Collection,
    protocol: Protocol,
    metric: str,
    measured: Measured | None,
    reason: str | None,
    counts: Mapping[Side, SideCount],
) -> Score:
    evaluation = collection.evaluation
    extractor = evaluation.extractors.get(protocol.features)
    return as_score(
        measured,
        metric,
        protocol,
        reason=reason,
        counts=counts,
        weights=extractor.weights if extractor else None,
        software=environment.made_with(software(protocol.features), evaluation.device),
        seeds=evaluation.seeds,
        row=evaluation.rows.get(protocol),
    )
