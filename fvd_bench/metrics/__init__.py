"""The metrics by name, each from the features of the real and the fake side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.moments import Moments
from fvd_bench.features.stats import FeatureStats
from fvd_bench.metrics import frame_metrics, kernel, neighbours
from fvd_bench.metrics.frechet import frechet_distance_of_stats
from fvd_bench.protocols.rules import MetricRule, Side

__all__ = ["METRICS", "Metric", "compute", "dependence", "frechet", "measuring", "uncertainty"]


@dataclass(frozen=True, slots=True)
class Metric:
    """compute: (real, fake, rule) -> value, not aggregated yet. Raises MetricError."""

    name: str
    compute: Callable[[FeatureStats, FeatureStats, MetricRule], float]
    lower_is_better: bool


def _of_features(
    name: str,
    function: Callable[[NDArray[np.float32], NDArray[np.float32]], float],
    *,
    lower_is_better: bool,
) -> Metric:
    """A metric that needs all features of both sides, and nothing of the rule."""

    def compute_it(real: FeatureStats, fake: FeatureStats, rule: MetricRule) -> float:
        return function(_features(name, "real", real), _features(name, "fake", fake))

    return Metric(name, compute_it, lower_is_better)


def _inception_score(real: FeatureStats, fake: FeatureStats, rule: MetricRule) -> float:
    """Of the fake features alone."""
    return frame_metrics.inception_score(_features("is", "fake", fake))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("fvd", frechet_distance_of_stats, lower_is_better=True),
        _of_features("kvd", kernel.kernel_distance, lower_is_better=True),
        _of_features("kvd-biased", kernel.biased_kernel_distance, lower_is_better=True),
        _of_features("precision", neighbours.precision, lower_is_better=False),
        _of_features("recall", neighbours.recall, lower_is_better=False),
        _of_features("density", neighbours.density, lower_is_better=False),
        _of_features("coverage", neighbours.coverage, lower_is_better=False),
        Metric("fid", frechet_distance_of_stats, lower_is_better=True),
        _of_features("kid", frame_metrics.kernel_inception_distance, lower_is_better=True),
        Metric("is", _inception_score, lower_is_better=False),
    )
}


def compute(name: str, real: FeatureStats, fake: FeatureStats, rule: MetricRule) -> float:
    """A metric by name, aggregated as the rule says. Raises MetricError.

    `batch-mean` cuts both sides into consecutive batches of `rule.batch` features, pairs them in order and
    averages the scores; what is left over on either side is not used.
    """
    if rule.aggregation == "all":
        return METRICS[name].compute(real, fake, rule)
    return float(np.mean(batch_scores(name, real, fake, rule)))


def batch_scores(name: str, real: FeatureStats, fake: FeatureStats, rule: MetricRule) -> list[float]:
    """The scores of the batches that `batch-mean` averages. Raises MetricError."""
    real_features, fake_features = _features("batch-mean", "real", real), _features("batch-mean", "fake", fake)
    batches = min(real.count, fake.count) // rule.batch
    if batches == 0:
        raise MetricError(f"{real.count} real and {fake.count} fake features do not fill a batch of {rule.batch}")
    parts = [slice(i * rule.batch, (i + 1) * rule.batch) for i in range(batches)]
    pairs = [(FeatureStats.of(real_features[p]), FeatureStats.of(fake_features[p])) for p in parts]
    return [METRICS[name].compute(r, f, rule) for r, f in pairs]


def _features(name: str, side: Side, stats: FeatureStats) -> NDArray[np.float32]:
    """All features of a side. Raises MetricError when they were not kept, or are not finite."""
    features = stats.features()
    if isinstance(stats, Moments):
        raise MetricError(f"{name} needs every feature, and of the {side} side only mean and covariance are given")
    if features is None and stats.count:
        raise MetricError(
            f"{name} needs every feature, and of the {stats.count} {side} ones only mean and covariance were kept, "
            "because they do not fit in memory; use fewer videos or frames"
        )
    if features is None:
        raise MetricError(f"{name}: there are no {side} features")
    if not np.isfinite(features).all():
        raise MetricError(f"{name}: some {side} features are not finite")
    return features
