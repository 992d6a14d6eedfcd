"""From features to scores, with all that is known about their uncertainty."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from fvd_bench import metrics, uncertainty
from fvd_bench.result import Estimate
from fvd_bench.rules import MetricRule
from fvd_bench.uncertainty import Sides, Spread


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric over all repeats: values, one per repeat; the rest as in `result.Score`, and `spread` behind it."""

    values: tuple[float, ...]
    spread: Spread
    interval: tuple[float, float] | None
    floor: Estimate | None
    infinite: Estimate | None


def measure(repeats: Iterable[Sides], rule: MetricRule, *, seed: int) -> dict[str, Measured]:
    """Compute the metrics of a rule by name, holding the features of one repeat at a time.

    repeats: the features of both sides in each repeat; seed: of the first. Floor and extrapolation are those of the
    first repeat, the latter shifted to the mean of all. Raises MetricError.
    """
    values: dict[str, list[float]] = {name: [] for name in rule.names}
    spreads = {name: Spread(name, rule) for name in rule.names}
    floors: dict[str, Estimate | None] = {}
    limits: dict[str, Estimate | None] = {}
    for sides in repeats:
        for name in rule.names:
            value = metrics.compute(name, sides["real"], sides["fake"], rule)
            values[name].append(value)
            spreads[name].add(sides)
            if name not in floors:
                floors[name] = uncertainty.floor(name, sides, rule, seed=seed)
                limits[name] = uncertainty.infinite(spreads[name], sides, seed=seed)
    measured = {}
    for name, found in values.items():
        mean = statistics.fmean(found)
        limit = _shifted(limits[name], mean - found[0])
        measured[name] = Measured(tuple(found), spreads[name], spreads[name].interval(mean), floors[name], limit)
    return measured


def _shifted(estimate: Estimate | None, by: float) -> Estimate | None:
    if estimate is None:
        return None
    low, high = (max(0.0, end + by) for end in estimate.interval)
    return Estimate(max(0.0, estimate.value + by), (low, high))
