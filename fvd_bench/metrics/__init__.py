"""What two sides of features score, by metric, and how sure that is."""

from __future__ import annotations

import numpy as np

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.frechet import FID, FVD
from fvd_bench.metrics.inception_score import IS
from fvd_bench.metrics.kernel import KID, KVD, KVD_BIASED
from fvd_bench.metrics.metric import Metric, all_features
from fvd_bench.metrics.neighbours import COVERAGE, DENSITY, PRECISION, RECALL
from fvd_bench.protocols.rules import MetricRule

__all__ = ["METRICS", "Metric", "compute", "dependence", "estimate", "frechet", "measurement", "uncertainty"]

METRICS = {metric.name: metric for metric in (FVD, KVD, KVD_BIASED, PRECISION, RECALL, DENSITY, COVERAGE, FID, KID, IS)}
"""Name, as protocols have it, -> metric. A new metric is a file that makes a Metric, and its place here."""


def compute(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
    """A metric by name, aggregated as the rule says. Raises MetricError.

    `batch-mean` cuts both sides into consecutive batches of `rule.batch` features, pairs them in order and
    averages the scores; what is left over on either side is not used.
    """
    if rule.aggregation == "all":
        return METRICS[name].compute(real, fake, rule)
    return float(np.mean(batch_scores(name, real, fake, rule)))


def batch_scores(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> list[float]:
    """The scores of the batches that `batch-mean` averages. Raises MetricError."""
    real_features, fake_features = all_features("batch-mean", "real", real), all_features("batch-mean", "fake", fake)
    batches = min(real.count, fake.count) // rule.batch
    if batches == 0:
        raise MetricError(f"{real.count} real and {fake.count} fake features do not fill a batch of {rule.batch}")
    parts = [slice(i * rule.batch, (i + 1) * rule.batch) for i in range(batches)]
    pairs = [(FeatureSet.of(real_features[p]), FeatureSet.of(fake_features[p])) for p in parts]
    return [METRICS[name].compute(r, f, rule) for r, f in pairs]
