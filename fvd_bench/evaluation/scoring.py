"""A score made from measurements: the numbers, and the signature of everything that made them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.evaluation.score import Score, SideCount
from fvd_bench.metrics.measurement import Measured
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import Side
from fvd_bench.version import __version__


def as_score(
    measured: Measured | None,
    metric: str,
    protocol: Protocol,
    *,
    reason: str | None,
    counts: Mapping[Side, SideCount],
    weights: Mapping[str, str] | None,
    software: Mapping[str, str],
    seeds: range,
    row: str | None,
) -> Score:
    """Put what was measured into the form in which people get it.

    measured: None where nothing could be measured, for the given reason. weights: name -> digest of the tensors, None
    without the network. software: versions of the packages that are part of it. seeds: one per repeat. row: the score's
    row in a table, or None.
    Digest and signature are those of the protocol with this metric alone.
    """
    alone = protocol.alone(metric)
    effective = f"n:{counts['real'].clips}+{counts['fake'].clips}|seed:{seeds[0]}|repeats:{len(seeds)}"
    values = measured.values if measured else ()
    drawn = measured.spread.contributions("fake") if measured else None
    return Score(
        metric=metric,
        protocol=protocol.name,
        protocol_version=protocol.version,
        digest=alone.digest(),
        signature=signature(alone, effective, weights, software),
        row=row,
        value=statistics.fmean(values) if values else None,
        reason=reason,
        values=values,
        std=statistics.pstdev(values) if len(values) > 1 else None,
        interval=measured.interval if measured else None,
        seed=seeds[0],
        lower_is_better=metrics.METRICS[metric].lower_is_better,
        real=counts["real"],
        fake=counts["fake"],
        error_real=measured.spread.error("real") if measured else None,
        error_fake=measured.spread.error("fake") if measured else None,
        units_fake=len(drawn) if drawn else None,
        floor=measured.floor if measured else None,
        infinite=measured.infinite if measured else None,
        unknown=measured.unknown if measured else {},
        splits=measured.splits if measured else None,
    )


def signature(alone: Protocol, effective: str, weights: Mapping[str, str] | None, software: Mapping[str, str]) -> str:
    """Return the line that names each choice of a score, and what it was made of.

    alone: the protocol with the score's metric alone. effective: numbers of clips, seeds and the like. weights: name ->
    digest of the tensors, None without the network. software: versions of the packages that are part of it.
    """
    digests = "none" if weights is None else ",".join(digest[:8] for digest in weights.values())
    (metric,) = alone.metric.names
    made_with = "".join(f"{package}:{version}|" for package, version in software.items())
    return f"{metric}|{alone.signature()}|{effective}|weights:{digests}|{made_with}fvd-bench:{__version__}"


def served(score: Score) -> Score:
    """Return the score. Raises MetricError, with its reason, when it has no value."""
    if score.value is None:
        raise MetricError(f"{score.protocol}: {score.reason}")
    return score
