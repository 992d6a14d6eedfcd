"""Distances between the features of the real and the fake side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fvd_bench.errors import MetricError
from fvd_bench.frechet import frechet_distance_of_stats
from fvd_bench.rules import MetricRule
from fvd_bench.stats import FeatureStats


@dataclass(frozen=True, slots=True)
class Metric:
    """compute: (real, fake, rule) -> value, not aggregated yet."""

    name: str
    compute: Callable[[FeatureStats, FeatureStats, MetricRule], float]
    lower_is_better: bool


METRICS = {
    "fvd": Metric("fvd", frechet_distance_of_stats, lower_is_better=True),
    "fid": Metric("fid", frechet_distance_of_stats, lower_is_better=True),
}


def compute(name: str, real: FeatureStats, fake: FeatureStats, rule: MetricRule) -> float:
    """A metric by name, aggregated as the rule says. Raises MetricError.

    `batch-mean` cuts both sides into consecutive batches of `rule.batch` features, pairs them in order and
    averages the scores; what is left over on either side is not used.
    """
    metric = METRICS[name]
    if rule.aggregation == "all":
        return metric.compute(real, fake, rule)
    real_features, fake_features = real.features(), fake.features()
    if real_features is None or fake_features is None:
        raise MetricError("batch-mean needs all features, and these are too many to be kept")
    batches = min(real.count, fake.count) // rule.batch
    if batches == 0:
        raise MetricError(f"{real.count} real and {fake.count} fake features do not fill a batch of {rule.batch}")
    parts = [slice(i * rule.batch, (i + 1) * rule.batch) for i in range(batches)]
    pairs = [(FeatureStats.of(real_features[p]), FeatureStats.of(fake_features[p])) for p in parts]
    return float(np.mean([metric.compute(r, f, rule) for r, f in pairs]))
