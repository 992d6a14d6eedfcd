"""What the features of two sides score, by metric, and how sure that is."""

from __future__ import annotations

import numpy as np

from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.frechet import FID, FVD
from fvd_bench.metrics.inception_score import IS
from fvd_bench.metrics.kernel import KID, KVD, KVD_BIASED
from fvd_bench.metrics.metric import Metric, all_features
from fvd_bench.metrics.mind import MIND
from fvd_bench.metrics.neighbours import COVERAGE, DENSITY, PRECISION, RECALL
from fvd_bench.networks import NETWORKS
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, MetricRule, Side

__all__ = [
    "METRICS",
    "Metric",
    "check",
    "compute",
    "dependence",
    "fewer",
    "fewest",
    "frechet",
    "measurement",
    "neighbours",
    "uncertainty",
]

METRICS = {
    metric.name: metric for metric in (FVD, KVD, KVD_BIASED, MIND, PRECISION, RECALL, DENSITY, COVERAGE, FID, KID, IS)
}
"""Metrics by their names in protocols. To add a metric, write a file that makes a Metric, and list it here."""


def check(protocol: Protocol, where: str) -> None:
    """Raises ProtocolError, naming `where`, when there is no such metric, or none on the network's features."""
    features = protocol.features
    for name in protocol.metric.names:
        if name not in METRICS:
            raise ProtocolError(f"{where}: names = {name!r}: allowed are {', '.join(map(repr, METRICS))}")
        metric = METRICS[name]
        allowed = list(metric.layers) or [
            network.name for network in NETWORKS.values() if network.sees == "clips" or metric.of_frames_too
        ]
        if features.extractor not in allowed:
            raise ProtocolError(
                f"{where}: {name} is computed on features of {' or '.join(allowed)}, not of {features.extractor}"
            )
        layer = metric.layers.get(features.extractor, features.layer)
        if features.layer != layer:
            raise ProtocolError(f"{where}: {name} is computed on the layer {layer!r}, not on {features.layer!r}")


def fewest(name: str, rule: MetricRule) -> dict[Side, int]:
    """Return the fewest features of each side that a metric can be computed from, aggregated as the rule says."""
    return {side: max(few, rule.batch) for side, few in zip(SIDES, METRICS[name].fewest, strict=True)}


def compute(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
    """Compute a metric by name, aggregated as the rule says. Raises MetricError.

    `batch-mean` cuts both sides into consecutive batches of `rule.batch` features, pairs them in order and averages the
    scores. Features left over on either side are not used.
    """
    if rule.aggregation == "all":
        return METRICS[name].compute(real, fake, rule)
    return float(np.mean(batch_scores(name, real, fake, rule)))


def batch_scores(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> list[float]:
    """Return the scores of the batches that `batch-mean` averages. Raises MetricError."""
    real_features, fake_features = all_features("batch-mean", "real", real), all_features("batch-mean", "fake", fake)
    batches = min(real.count, fake.count) // rule.batch
    if batches == 0:
        raise MetricError(f"{real.count} real and {fake.count} fake features do not fill a batch of {rule.batch}")
    parts = [slice(i * rule.batch, (i + 1) * rule.batch) for i in range(batches)]
    pairs = [(FeatureSet.of(real_features[p]), FeatureSet.of(fake_features[p])) for p in parts]
    return [METRICS[name].compute(r, f, rule) for r, f in pairs]
