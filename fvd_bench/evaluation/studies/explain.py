"""Why two protocols score the same videos differently: the way from one to the other, one field at a time."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from fvd_bench.errors import ProtocolError
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.scorable_protocols import check, load, only_metric
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.scoring import served
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.differences import Difference, aligned, differences, with_choices
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike


@dataclass(frozen=True, slots=True)
class Step:
    """Fields that are changed at once.

    score: the score after the change. change: by how much it lies above the score before.
    """

    changes: tuple[Difference, ...]
    score: Score
    change: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The way from the score of protocol a to that of protocol b, one field after the other.

    start: the score of a.
    result: the evaluation that all scores come from. It also has the scores of steps that had to be joined with the
    next.
    """

    start: Score
    steps: tuple[Step, ...]
    result: Result

    @property
    def end(self) -> Score:
        """The score of b."""
        return self.steps[-1].score

    def to_json(self) -> str:
        """Return JSON text of schema 1: from, to, the steps, and the result as in `Result.to_json`."""
        steps = [
            {
                "fields": [{"field": c.name, "from": c.texts[0], "to": c.texts[1]} for c in step.changes],
                "digest": step.score.digest,
                "value": step.score.value,
                "change": step.change,
            }
            for step in self.steps
        ]
        table = {
            "schema": 1,
            "metric": self.start.metric,
            "from": {"protocol": self.start.protocol, "digest": self.start.digest, "value": self.start.value},
            "to": {"protocol": self.end.protocol, "digest": self.end.digest, "value": self.end.value},
            "steps": steps,
            "result": json.loads(self.result.to_json()),
        }
        return json.dumps(table, indent=2, allow_nan=False) + "\n"


def explain(
    a: ProtocolLike,
    b: ProtocolLike,
    real: SourceLike,
    fake: SourceLike,
    *,
    repeats: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Waterfall:
    """Show why two protocols score the same videos differently: go from a to b, changing one field at a time.

    Fields change in the order of `Protocol.choices`, and what each contributes depends on that order. A step to a
    protocol that is impossible, or that the data cannot serve, is joined with the next one. The arguments are those of
    `evaluate`.

    Raises ProtocolError when the metrics or the extractors differ, or when nothing differs; MetricError when a or b has
    no score here; else as `evaluate` does.
    """
    first, last = load(a), load(b)
    if (only_metric(first), first.features.extractor) != (only_metric(last), last.features.extractor):
        raise ProtocolError(
            f"{first.name} computes {first.metric.names[0]} on {first.features.extractor}, {last.name} "
            f"{last.metric.names[0]} on {last.features.extractor}: scores of different things have no difference"
        )
    if first.digest() == last.digest():
        raise ProtocolError(f"{first.name} and {last.name} compute the same, their digest is one: nothing to explain")
    path = [*_between(first, last), last]
    with open_evaluation(
        real,
        fake,
        [first, *path],
        repeats=repeats,
        seed=seed,
        settings=dataclasses.replace(settings or Settings(), motion=False, windows=0),
        progress=progress,
        required=[first, last],
    ) as evaluation:
        result = result_of(collect(evaluation))
    start, *after = result.scores
    served(after[-1])
    steps: list[Step] = []
    before, value = first, served(start).value
    for protocol, score in zip(path, after, strict=True):
        if score.value is not None:
            assert value is not None
            steps.append(Step(tuple(differences(before, protocol)), score, score.value - value))
            before, value = protocol, score.value
    return Waterfall(start, tuple(steps), result)


def _between(a: Protocol, b: Protocol) -> list[Protocol]:
    """List the possible protocols on the way from a to b, without these two."""
    current, goal = aligned(a, b)
    changes = [change for change in differences(current, goal) if change.idle_in is None]
    path: list[Protocol] = []
    for number, change in enumerate(changes[:-1], start=1):
        current = with_choices(current, dict.fromkeys(change.fields, change.b))
        if _is_possible(current):
            path.append(dataclasses.replace(current, name=f"{a.name}-to-{b.name}-{number}"))
    return path


def _is_possible(protocol: Protocol) -> bool:
    try:
        check(protocol, protocol.name)
    except ProtocolError:
        return False
    return True
