"""What few videos do to scores: they raise some, move others, and leave those that are unbiased where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fvd_bench.features.jobs import Job
from fvd_bench.finding import Finding
from fvd_bench.metrics import METRICS
from fvd_bench.networks import FeatureExtractor
from fvd_bench.protocols.rules import SIDES, FeatureRule, MetricRule, Side
from fvd_bench.words import agreeing, counted


def moved(rules: Iterable[MetricRule], sides: Sequence[Side] = SIDES) -> dict[str, bool]:
    """Return which metrics may depend on how many videos these sides have -> whether few videos raise them.

    rules: of one metric each. Where scores of batches are averaged, the protocol says how many videos a batch has.
    """
    found: dict[str, bool] = {}
    for rule in rules:
        (name,) = rule.names
        metric = METRICS[name]
        if any(side in metric.sides for side in sides) and rule.aggregation == "all" and not metric.unbiased:
            found[name] = metric.rises_by_chance
    return found


def effect(metrics: Mapping[str, bool], *, of_all: bool) -> str:
    """Say what few videos do to these metrics, as `moved` gives them. of_all: whether no others were measured."""
    if of_all and all(metrics.values()):
        return (
            "the score is biased upwards, more so the fewer there are; compare it only with others at the same number"
        )
    raised, others = ([name.upper() for name, rises in metrics.items() if rises is raises] for raises in (True, False))
    said = []
    if raised:
        verb = agreeing(len(raised), "are")
        said.append(f"{' and '.join(raised)} {verb} biased upwards, more so the fewer there are")
    if others:
        said.append(f"{' and '.join(others)} may depend on how many there are")
    them = "it" if len(metrics) == 1 else "them"
    return f"{', and '.join(said)}; compare {them} only with others at the same number"


def findings(
    counts: Mapping[Job, int],
    extractors: Mapping[FeatureRule, FeatureExtractor],
    measured: Mapping[Job, Sequence[MetricRule]],
) -> Iterator[Finding]:
    """Warn of few videos, once for each side.

    counts: of the videos that each job is made of. measured: rules of the metrics that have a value of each of these
    jobs, one metric each.
    """
    asked: dict[Side, dict[str, int]] = {side: {} for side in SIDES}
    few: dict[Side, dict[str, int]] = {side: {} for side in SIDES}
    metrics: dict[Side, dict[str, bool]] = {side: {} for side in SIDES}
    for job, used in counts.items():
        rule, side, dim = job.draw.rule, job.draw.side, extractors[job.features].dim
        if not any(side in METRICS[name].sides for of in measured[job] for name in of.names):
            continue
        if rule.count is not None and used < rule.count:
            asked[side][str(rule.count)] = used
        elif not rule.clips_by_length and 0 < used < dim and (found := moved(measured[job], [side])):
            few[side][str(dim)] = used
            metrics[side] |= found
    every = {name for rules in measured.values() for rule in rules for name in rule.names}
    for side, numbers in asked.items():
        if numbers:
            used = min(numbers.values())
            what = f"{' or '.join(numbers)} {side} videos are asked for and {used} {agreeing(used, 'are')} used"
            yield Finding("few-videos", f"{what}: compare the score only with others at the same number", side=side)
    for side, numbers in few.items():
        if numbers:
            what = f"{counted(min(numbers.values()), f'{side} video')} for {' or '.join(numbers)} features"
            found = metrics[side]
            yield Finding("few-videos", f"{what}: {effect(found, of_all=every == found.keys())}", side=side)
