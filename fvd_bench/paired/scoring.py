"""From what was measured of all pairs to scores, and to a record for each pair."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fvd_bench.evaluation.score import Skipped
from fvd_bench.finding import Finding
from fvd_bench.paired.averages import Averages, averages, contributions
from fvd_bench.paired.differences import steadiness
from fvd_bench.paired.measurement import Measured, Unread, measures_of
from fvd_bench.paired.result import FrameCurve, PairedScore, PairRecord
from fvd_bench.protocols.paired import LOWER_IS_BETTER, LpipsRule, Metric, PairedProtocol, SsimRule
from fvd_bench.version import __version__
from fvd_bench.words import counted, number, percent

_WRAPS = 1e-9
"""A squared error that wrapping changes by less than this part has not wrapped."""


@dataclass(frozen=True, slots=True)
class Compared:
    """All pairs, with what was measured of each.

    names: of the real and of the fake video. groups: pairs of one group count as one in intervals.
    missing: network of LPIPS -> why it could not be used. weights: digests of what was loaded, by name.
    """

    names: Sequence[tuple[str, str]]
    pairs: Sequence[Measured | Unread]
    groups: Sequence[int]
    missing: Mapping[str, str]
    weights: Mapping[str, str]

    def usable(self, protocol: PairedProtocol, metric: Metric) -> tuple[list[int], dict[int, str]]:
        """Return the places of the pairs that a metric can be computed of, and why not of each other pair.

        Without its network there are neither.
        """
        used: list[int] = []
        skipped: dict[int, str] = {}
        rule = protocol.rule(metric)
        if isinstance(rule, LpipsRule) and rule.network in self.missing:
            return used, skipped
        for place, pair in enumerate(self.pairs):
            if reason := _why_not(pair, protocol, metric):
                skipped[place] = reason
            else:
                used.append(place)
        return used, skipped

    def measured(self, places: Sequence[int]) -> list[Measured]:
        return [pair for place in places if isinstance(pair := self.pairs[place], Measured)]


def scores(
    protocols: Sequence[PairedProtocol], metrics: Sequence[Metric], of: Compared, seed: int
) -> list[PairedScore]:
    """Return a score for each of these metrics that a protocol has. seed: of the resamples of intervals."""
    return [_score(p, metric, of, seed) for p in protocols for metric in p.metrics if metric in metrics]


def pair_records(
    protocols: Sequence[PairedProtocol], scored: Sequence[PairedScore], of: Compared
) -> Iterator[PairRecord]:
    """Yield a record for each pair that could be read, with its value under each score."""
    by_name = {protocol.name: protocol for protocol in protocols}
    values: dict[str, dict[int, float]] = {}
    for score in scored:
        protocol, metric = by_name[score.protocol], _metric(score)
        used, _ = of.usable(protocol, metric)
        if score.pairs:
            found = contributions(protocol.rule(metric), of.measured(used)).values.tolist()
            values[score.name] = dict(zip(used, found, strict=True))
    for place, (names, pair) in enumerate(zip(of.names, of.pairs, strict=True)):
        if isinstance(pair, Measured):
            own = {score.name: _finite(values.get(score.name, {}).get(place)) for score in scored}
            yield PairRecord(*names, pair.frames, *pair.size, own)


def wrapped(protocol: PairedProtocol, of: Compared) -> Iterator[Finding]:
    """Yield what PSNR would be if a protocol that wraps in uint8 did not, where that differs."""
    rule = protocol.psnr
    if rule is None or rule.arithmetic != "uint8":
        return
    used, _ = of.usable(protocol, "psnr")
    pairs = of.measured(used)
    sums = [math.fsum(value for pair in pairs for value in pair.values[name]) for name in ("uint8", "exact")]
    if pairs and sums[0] < sums[1] * (1 - _WRAPS):
        exact = averages(contributions(replace(rule, arithmetic="exact"), pairs), range(len(pairs)), 0).value
        yield Finding(
            "psnr-wraps",
            f"the PSNR of {protocol.name} is too high: its uint8 arithmetic, which is kept, drops "
            f"{percent(1 - sums[0] / sums[1])} of the squared error; computed exactly it is {number(exact)}",
        )


def _score(protocol: PairedProtocol, metric: Metric, of: Compared, seed: int) -> PairedScore:
    rule = protocol.rule(metric)
    used, left_out = of.usable(protocol, metric)
    pairs = of.measured(used)
    frames = sum(pair.frames for pair in pairs)
    found = averages(contributions(rule, pairs), [of.groups[place] for place in used], seed) if pairs else None
    of_real = None
    if pairs and metric == "flickering":
        of_real = float(np.mean([steadiness(np.array(pair.values["real"])).mean() for pair in pairs]))
    return PairedScore(
        metric=metric,
        protocol=protocol.name,
        protocol_version=protocol.version,
        digest=protocol.digest(metric),
        signature=f"{metric}|{protocol.signature(metric)}|n:{len(pairs)}|frames:{frames}"
        f"{_weights_of(rule, of.weights)}|fvd-bench:{__version__}",
        value=_finite(found.value) if found else None,
        reason=_reason(protocol, metric, found, list(left_out.values()), of),
        interval=found.interval if found else None,
        of_real=of_real,
        lower_is_better=metric in LOWER_IS_BETTER,
        pairs=len(pairs),
        frames=frames,
        skipped=tuple(Skipped(of.names[place][1], reason) for place, reason in left_out.items()),
        curve=_curve(found, 1 if metric == "flickering" else 0) if found else None,
    )


def _reason(
    protocol: PairedProtocol, metric: Metric, found: Averages | None, left_out: Sequence[str], of: Compared
) -> str | None:
    """Say why a metric has no value; None where it has one."""
    rule = protocol.rule(metric)
    if isinstance(rule, LpipsRule) and rule.network in of.missing:
        return of.missing[rule.network]
    if found is None:
        return none_compared(left_out)
    return None if math.isfinite(found.value) else "it is infinite, since some frames are equal to the last bit"


def none_compared(left_out: Sequence[str]) -> str:
    """Say that no pair can be compared. left_out: why not, for each pair."""
    more = f"; the first of {len(left_out)}: {left_out[0]}" if len(left_out) > 1 else f": {left_out[0]}"
    return f"no pair can be compared{more}"


def _why_not(pair: Measured | Unread, protocol: PairedProtocol, metric: Metric) -> str | None:
    """Say why a metric cannot be computed of a pair; None where it can."""
    if isinstance(pair, Unread):
        return pair.reason
    if protocol.lengths == "equal" and pair.lengths[0] != pair.lengths[1]:
        return (
            f"the real video has {counted(pair.lengths[0], 'frame')}, the fake one {pair.lengths[1]}: {protocol.name} "
            "compares videos of one length"
        )
    rule = protocol.rule(metric)
    if all(pair.values.get(of) for of in measures_of(rule)):
        return None
    width, height = pair.size
    if metric == "flickering":
        return "one frame cannot flicker"
    needs = f"SSIM's window of {rule.size} pixels" if isinstance(rule, SsimRule) else "the network of LPIPS"
    return f"frames of {width}×{height} are too small for {needs}"


def _curve(found: Averages, start: int) -> FrameCurve:
    ends = found.intervals.tolist()
    return FrameCurve(
        start=start,
        values=tuple(map(_finite, found.curve.tolist())),
        intervals=tuple(None if math.isnan(low) else (low, high) for low, high in ends),
        videos=tuple(found.videos.tolist()),
    )


def _weights_of(rule: object, weights: Mapping[str, str]) -> str:
    from fvd_bench.networks.weights.lpips_tensors import BACKBONES

    if not isinstance(rule, LpipsRule):
        return ""
    digest = weights.get(BACKBONES[rule.network].weights)
    return f"|weights:{digest[:8]}" if digest else ""


def _metric(score: PairedScore) -> Metric:
    metric: Metric = score.metric  # type: ignore[assignment]  # one that `_score` was asked for
    return metric


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
