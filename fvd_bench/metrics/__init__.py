"""What the features of two sides score, by metric, and how sure that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.estimate import Splits
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.metric import Metric, all_features, foreign
from fvd_bench.networks import NETWORKS
from fvd_bench.plugins import Registry
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, MetricRule, Side

__all__ = [
    "METRICS",
    "Metric",
    "check",
    "compute",
    "dependence",
    "extrapolation",
    "fewest",
    "frechet",
    "gaussian_kernel",
    "measurement",
    "neighbours",
    "pinned",
    "scored",
    "seen",
    "subset_scores",
    "uncertainty",
]

_BUILT_IN: dict[str, str | Metric] = {
    "fvd": "fvd_bench.metrics.frechet:FVD",
    "kvd": "fvd_bench.metrics.kernel:KVD",
    "kvd-biased": "fvd_bench.metrics.kernel:KVD_BIASED",
    "mind": "fvd_bench.metrics.mind:MIND",
    "precision": "fvd_bench.metrics.neighbours:PRECISION",
    "recall": "fvd_bench.metrics.neighbours:RECALL",
    "density": "fvd_bench.metrics.neighbours:DENSITY",
    "coverage": "fvd_bench.metrics.neighbours:COVERAGE",
    "jedi": "fvd_bench.metrics.kernel:JEDI",
    "fd": "fvd_bench.metrics.frechet:FD",
    "cmmd": "fvd_bench.metrics.gaussian_kernel:CMMD",
    "fid": "fvd_bench.metrics.frechet:FID",
    "kid": "fvd_bench.metrics.kernel:KID",
    "is": "fvd_bench.metrics.inception_score:IS",
}
"""Name, as protocols have it -> where the metric is. A new metric is a Metric in a file, and a line here."""

METRICS = Registry("metric", key="names", group="fvd_bench.metrics", adopt=foreign, built_in=_BUILT_IN)
"""Metrics by name. Those of other packages are entry points, and those of the user's own are module:object."""

_LARGEST = 1e150
"""The largest score that is given. The squares of larger ones, of which errors are made, overflow float64."""


def check(protocol: Protocol, where: str) -> None:
    """Raise ProtocolError, naming `where`, when there is no such metric, or none on the network's features."""
    features = protocol.features
    for name in protocol.metric.names:
        try:
            metric, network = METRICS.find(name), NETWORKS.find(features.extractor)
        except ProtocolError as error:
            raise ProtocolError(f"{where}: {error}") from error
        on = features.extractor in metric.layers if metric.layers else network.sees in metric.sees
        if not on:
            allowed = list(metric.layers) or [name for name in NETWORKS if NETWORKS[name].sees in metric.sees]
            raise ProtocolError(
                f"{where}: {name} is computed on features of {' or '.join(allowed)}, not of {features.extractor}"
            )
        layer = metric.layers.get(features.extractor, features.layer)
        if features.layer != layer:
            raise ProtocolError(f"{where}: {name} is computed on the layer {layer!r}, not on {features.layer!r}")


def pinned(rule: MetricRule, where: str) -> MetricRule:
    """Return a rule that names the versions of its metrics that are not of this package.

    Raises ProtocolError, naming `where`, where the rule names others already.
    """
    found = tuple(f"{name}@{version}" for name in rule.names if (version := METRICS[name].version))
    if rule.versions not in ((), found):
        raise ProtocolError(f"{where}: versions = {list(rule.versions)}, and the metrics are {list(found)} here")
    return dataclasses.replace(rule, versions=found)


def fewest(name: str, rule: MetricRule) -> dict[Side, int]:
    """Return the fewest features of each side that a metric can be computed from, aggregated as the rule says."""
    return {side: max(few, rule.batch) for side, few in zip(SIDES, METRICS[name].fewest, strict=True)}


def seen(name: str, sides: Mapping[Side, FeatureSet], rule: MetricRule) -> Mapping[Side, FeatureSet]:
    """Return both sides as a metric sees them: where it needs more than mean and covariance, and a side is moments with
    a sample of the features, that sample."""
    if METRICS[name].of_moments and rule.aggregation == "all":
        return sides
    return {side: features.sampled() for side, features in sides.items()}


def compute(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
    """Compute a metric by name, aggregated as the rule says. Raises MetricError, also where it is no number of a size
    that float64 can square.

    `batch-mean` cuts both sides into consecutive batches of `rule.batch` features, pairs them in order and averages the
    scores. Features left over on either side are not used.
    """
    return scored(name, real, fake, rule)[0]


def scored(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> tuple[float, Splits | None]:
    """Compute a metric as `compute` does, and how far the splits lie apart that it averages.

    The latter is None for a metric that averages none, and for `batch-mean`, whose batches would each have their own.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # as of powers of features that are far out of range
        if rule.aggregation == "all":
            value, splits = METRICS[name].value(real, fake, rule)
        else:
            value, splits = float(np.mean(batch_scores(name, real, fake, rule))), None
    if not abs(value) < _LARGEST:
        raise MetricError(f"{name} came out as {value}: the features are far out of range")
    return value, splits


def batch_scores(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> list[float]:
    """Return the scores of the batches that `batch-mean` averages. Raises MetricError."""
    real_features, fake_features = all_features("batch-mean", "real", real), all_features("batch-mean", "fake", fake)
    batches = min(real.count, fake.count) // rule.batch
    if batches == 0:
        raise MetricError(f"{real.count} real and {fake.count} fake features do not fill a batch of {rule.batch}")
    parts = [slice(i * rule.batch, (i + 1) * rule.batch) for i in range(batches)]
    pairs = [(FeatureSet.of(real_features[p]), FeatureSet.of(fake_features[p])) for p in parts]
    return [METRICS[name].value(r, f, rule)[0] for r, f in pairs]
