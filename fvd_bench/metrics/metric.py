"""What a metric is: a number of two sides, how much each feature moves it, and what chance does to it.

The influence of a feature is the derivative of the metric by ε when the feature gets the weight 1/N + ε at the expense
of all features of its side. The mean of the influences is 0. When the features of a side are drawn anew, the metric
varies by their standard deviation over √N. Source: Hampel 1974; for U-statistics it is twice the centred projection
(Hoeffding 1948).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError, ProtocolError
from fvd_bench.estimate import Splits
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.networks import Sees
from fvd_bench.plugins import running_user_code, source_version
from fvd_bench.protocols.rules import SIDES, MetricRule, Side

Influences = tuple[Float64 | None, Float64 | None]
"""The influences of the real features [N] and of the fake ones [M]. None for a side whose features were not kept."""


Compute = Callable[[FeatureSet, FeatureSet, MetricRule], float]
"""(real, fake, rule) -> the value of a metric."""


def _unknown(real: FeatureSet, fake: FeatureSet) -> Influences | None:
    """Return None, for a metric whose influences are not known."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, with all that is known of it.

    layers: the networks whose features it is computed on, and the layer of each. Empty for every network that sees
        what `sees` names, and any layer.
    compute: (real, fake, rule) -> value, not aggregated yet. Raises MetricError. None for a mean over splits.
    splits: (real, fake, rule) -> the scores of the splits whose mean is the value, 2 or more. Raises MetricError. None
        for every other metric.
    lower_is_better: whether it is a distance.
    range: its least and its greatest possible value.
    fewest: the fewest real and the fewest fake features that it can be computed from; 0 for a side that plays no part.
    influence: (real, fake) -> influences. None where none are known, or where they need features that were not kept.
    of_moments: whether it depends on mean and covariance of both sides alone.
    rises_by_chance: whether few features raise it, so that the real distribution itself has a floor above 0.
    unbiased: whether its mean over draws is the same at any number of features.
    pairs: whether it takes as many features of each side as the smaller one has.
    is_skewed: whether its standard error grows with its value, since a few extreme videos raise both.
    version: rises whenever a value could change. Empty for metrics of this package, which has a version of its own.
    """

    name: str
    layers: Mapping[str, str] = field(default_factory=dict)
    sees: tuple[Sees, ...] = ("clips",)
    compute: Compute | None = None
    splits: Callable[[FeatureSet, FeatureSet, MetricRule], Sequence[float]] | None = None
    lower_is_better: bool
    range: tuple[float, float] = (-np.inf, np.inf)
    fewest: tuple[int, int] = (1, 1)
    influence: Callable[[FeatureSet, FeatureSet], Influences | None] = _unknown
    of_moments: bool = False
    rises_by_chance: bool = False
    unbiased: bool = False
    pairs: bool = False
    is_skewed: bool = False
    version: str = ""

    def __post_init__(self) -> None:
        if (self.compute is None) == (self.splits is None):
            raise ValueError(f"the metric {self.name} has to have either `compute` or `splits`")

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that it depends on."""
        return tuple(side for side, few in zip(SIDES, self.fewest, strict=True) if few)

    def value(self, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> tuple[float, Splits | None]:
        """Return the value, not aggregated yet, and how far the splits lie apart whose mean it is.

        The latter is None where the value is no such mean. Raises MetricError.
        """
        if self.compute is not None:
            return self.compute(real, fake, rule), None
        assert self.splits is not None
        scores = self.splits(real, fake, rule)
        return float(np.mean(scores)), Splits(len(scores), float(np.std(scores)))


def foreign(name: str, found: object) -> Metric:
    """Return the metric that another package, or the user's own code, has under a name.

    found: a Metric, or a function of the features of both sides, float64 [N, dim] and [M, dim], that returns a
        distance. Its version is that of the file that it is written in, unless a Metric states one.
    Raises ProtocolError for anything else. The metric raises MetricError where the code fails or gives no finite
    number.
    """
    if isinstance(found, Metric):
        metric = found
    elif callable(found):
        metric = Metric(name=name, compute=_of_function(name, found), lower_is_better=True, sees=("clips", "frames"))
    else:
        raise ProtocolError(
            f"{name} is of type {type(found).__name__}: expected a fvd_bench.metrics.Metric or a function of two arrays"
        )
    version = metric.version or source_version(found if metric is not found else metric.compute or metric.splits, name)

    def compute(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
        assert metric.compute is not None
        with running_user_code(f"{name}: computing it", raising=MetricError):
            value = float(metric.compute(real, fake, rule.alone(name)))  # what other metrics heed is left out
        if not math.isfinite(value):
            raise MetricError(f"{name} gave {value}: expected a finite number")
        return value

    def splits(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> list[float]:
        assert metric.splits is not None
        with running_user_code(f"{name}: computing it", raising=MetricError):
            scores = [float(score) for score in metric.splits(real, fake, rule.alone(name))]
        if len(scores) < 2 or not all(map(math.isfinite, scores)):
            raise MetricError(f"{name} gave {scores}: expected the scores of 2 splits or more, finite numbers")
        return scores

    def influence(real: FeatureSet, fake: FeatureSet) -> Influences | None:
        with running_user_code(f"{name}: computing its influence", raising=MetricError):
            return metric.influence(real, fake)

    return replace(
        metric,
        name=name,
        compute=compute if metric.compute else None,
        splits=splits if metric.splits else None,
        influence=influence,
        version=version,
    )


def _of_function(name: str, function: Callable[[Float64, Float64], float]) -> Compute:
    """Make the `compute` of a metric from a function of arrays that it may change."""
    return on_features(name, lambda real, fake: function(real.astype(np.float64), fake.astype(np.float64)))


def on_features(name: str, function: Callable[[NDArray[np.float32], NDArray[np.float32]], float]) -> Compute:
    """Make the `compute` of a metric from a function of all features of both sides, which does not depend on the rule.

    name: the name of the metric, for messages.
    """

    def compute(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
        return function(all_features(name, "real", real), all_features(name, "fake", fake))

    return compute


def influence_on_features(
    function: Callable[[Float64, Float64], Influences],
) -> Callable[[FeatureSet, FeatureSet], Influences | None]:
    """Make the `influence` of a metric from a function of all features. It gives None where these were not kept."""

    def influence(real: FeatureSet, fake: FeatureSet) -> Influences | None:
        real_features, fake_features = real.features(), fake.features()
        if real_features is None or fake_features is None:
            return None
        return function(real_features.astype(np.float64), fake_features.astype(np.float64))

    return influence


def all_features(name: str, side: Side, stats: FeatureSet) -> NDArray[np.float32]:
    """Return all features of a side. Raises MetricError when there are none, or were not kept, or are not finite."""
    features = stats.features()
    if stats.is_given:
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


def centred(values: NDArray[np.float64]) -> Float64:
    """Subtract the mean of influences. It would be 0 but for rounding and for what an influence leaves out."""
    return np.asarray(values - values.mean())
