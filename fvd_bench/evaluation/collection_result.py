"""The result of a collection: its scores, how its videos move, and what was noticed of all that."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fvd_bench.evaluation.classes import class_findings, class_panel
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.collection_findings import findings_of
from fvd_bench.evaluation.collection_scores import scores_of
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.result import MotionPanel, Result
from fvd_bench.evaluation.score import Score
from fvd_bench.finding import Finding, worst_first
from fvd_bench.inspection.motion import summary
from fvd_bench.networks import environment, own_versions
from fvd_bench.protocols.protocol import plain
from fvd_bench.protocols.rules import SIDES
from fvd_bench.version import __version__


def result_of(collection: Collection) -> Result:
    """Compute all scores, in one of the processes on behalf of all. Raises MetricError when there are none."""
    evaluation = collection.evaluation
    scores = evaluation.share.once(lambda: scores_of(collection))
    motion = _motion(evaluation)
    result = evaluation.share.once(lambda: _result(collection, scores, motion))
    if evaluation.onlooker is not None:
        evaluation.onlooker(collection, result)
    return result


def _motion(evaluation: Evaluation) -> MotionPanel | None:
    """Sum up how both sides move, None where a side has no videos of two frames."""
    real, fake = (summary(list(evaluation.motions(name).values())) for name in SIDES)
    return MotionPanel(real, fake) if real and fake else None


def _result(collection: Collection, scores: Sequence[Score], motion: MotionPanel | None) -> Result:
    evaluation, protocols = collection.evaluation, collection.evaluation.protocols
    real, fake = (evaluation.info(side, collection.extractions[side]) for side in SIDES)
    warnings = findings_of(collection, scores, motion)
    panel = None if evaluation.classes is None else class_panel(collection, scores, evaluation.classes)
    alone = {each.digest(): each for p in protocols for each in map(p.alone, p.metric.names)}
    extractors = evaluation.extractors
    if panel is not None:
        dims = {digest: extractors[p.features].dim for digest, p in alone.items() if p.features in extractors}
        warnings += class_findings(panel, dims, {digest: p.metric for digest, p in alone.items()})
    if real.fingerprint == fake.fingerprint:
        warnings.append(Finding("same-videos", "the real and the fake side hold the same videos"))
    return Result(
        fvd_bench=__version__,
        scores=tuple(scores),
        real=real,
        fake=fake,
        warnings=tuple(worst_first(warnings)),
        weights={name: digest for e in extractors.values() for name, digest in e.weights.items()},
        environment=environment.describe(
            evaluation.device, [rule.precision for rule in extractors], own_versions(extractors, evaluation.device)
        ),
        seconds=round(time.monotonic() - evaluation.started, 3),
        protocols={digest: plain(p.choices()) for digest, p in alone.items()},
        motion=motion,
        group_by=evaluation.group_by,
        classes=panel,
    )
