"""Metrics of two sides over all repeats, with all that is known about their uncertainty."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.estimate import Estimate, Splits
from fvd_bench.metrics import extrapolation
from fvd_bench.metrics.uncertainty import Sides, Spread
from fvd_bench.protocols.rules import MetricRule

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric over all repeats.

    values: one per repeat.
    spread: what each video contributes to the score.
    interval, floor, infinite, unknown, splits: as in `result.Score`.
    """

    values: tuple[float, ...]
    spread: Spread
    interval: tuple[float, float] | None
    floor: Estimate | None
    infinite: Estimate | None
    unknown: Mapping[str, str]
    splits: Splits | None


def measure(
    repeats: Iterable[Sides], rule: MetricRule, *, seed: int, same_videos: bool = False
) -> dict[str, Measured | MetricError]:
    """Compute the metrics of a rule by name, holding the features of one repeat at a time.

    repeats: the features of both sides in each repeat.
    seed: the seed of the first repeat.
    same_videos: whether both sides are made of the same videos. Then there is no floor and no value at infinity, since
        the sides differ only by what was done to the videos.
    Floor and value at infinity come from the first repeat; the latter is shifted to the mean of all repeats. For a
    metric that cannot be computed, the result is the error that says why.
    """
    running = {name: _Running(Spread(name, rule, same_videos)) for name in rule.names}
    failures: dict[str, Measured | MetricError] = {}
    for sides in repeats:
        for name in rule.names:
            if name not in failures:
                try:
                    running[name].add(sides, seed=seed)
                except MetricError as error:
                    failures[name] = error
    return {name: failures.get(name) or running[name].measured() for name in rule.names}


@dataclass(slots=True)
class _Running:
    """One metric while its repeats arrive."""

    spread: Spread
    values: list[float] = field(default_factory=list)
    floor: Estimate | None = None
    infinite: Estimate | None = None
    unknown: dict[str, str] = field(default_factory=dict)
    splits: list[Splits] = field(default_factory=list)

    def add(self, sides: Sides, *, seed: int) -> None:
        name, rule = self.spread.name, self.spread.rule
        sides = metrics.seen(name, sides, rule)
        value, splits = metrics.scored(name, sides["real"], sides["fake"], rule)
        self.values.append(value)
        if splits is not None:
            self.splits.append(splits)
        self.spread.add(sides)
        if len(self.values) == 1 and not self.spread.same_videos:
            self.floor = self._of_parts("floor", lambda: extrapolation.floor(name, sides, rule, seed=seed))
            self.infinite = self._of_parts("infinite", lambda: extrapolation.infinite(self.spread, sides, seed=seed))

    def measured(self) -> Measured:
        mean = statistics.fmean(self.values)
        infinite = _shifted(self.infinite, mean - self.values[0])
        interval = self._known("interval", self.spread.unknown() or self.spread.interval(mean))
        splits = _mean_deviation(self.splits) if self.splits else None
        return Measured(tuple(self.values), self.spread, interval, self.floor, infinite, self.unknown, splits)

    def _of_parts(self, what: str, find: Callable[[], Estimate | str | None]) -> Estimate | None:
        """Return what is found from parts of the videos. A metric that needs more than these hold has its score."""
        try:
            return self._known(what, find())
        except MetricError as error:
            return self._known(what, f"it cannot be computed of parts of the videos: {error}")

    def _known(self, what: str, found: _T | str | None) -> _T | None:
        """Return what was found. A text is the reason why nothing was found, and is noted as such."""
        if isinstance(found, str):
            self.unknown[what] = found
            return None
        return found


def _mean_deviation(splits: list[Splits]) -> Splits:
    """Return the mean over repeats of how far the splits of one lie apart."""
    return Splits(splits[0].count, statistics.fmean(found.std for found in splits))


def _shifted(estimate: Estimate | None, by: float) -> Estimate | None:
    if estimate is None:
        return None
    low, high = (max(0.0, end + by) for end in estimate.interval)
    return Estimate(max(0.0, estimate.value + by), (low, high))
