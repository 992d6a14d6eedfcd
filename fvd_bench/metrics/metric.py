"""What a metric is: a number of two sides, how much each feature moves it, and what chance does to it.

The influence of a feature is the derivative of the metric by ε when the feature gets the weight 1/N + ε at the expense
of all of its side. Their mean is 0, and a metric varies, when the features of a side are drawn anew, by their
standard deviation over √N. Source: Hampel 1974; for U-statistics it is twice the centred projection (Hoeffding 1948).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.protocols.rules import MetricRule, Side

Influences = tuple[Float64 | None, Float64 | None]
"""Of the real features [N] and of the fake ones [M]; None for a side whose features were not kept."""


def _unknown(real: FeatureSet, fake: FeatureSet) -> Influences | None:
    """The influences of a metric of which they are not known."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, with all that is known of it.

    of: what the network sees whose features it is computed on, see `networks.Network`. layer: of that network, None for
    any. compute: (real, fake, rule) -> value, not aggregated yet; raises MetricError. lower_is_better: whether it is a
    distance. range: the least and the most that it can be. influence: (real, fake) -> influences; None where none is
    known, or where it needs features that were not kept. of_moments: whether mean and covariance of both sides are all
    that it takes. rises_by_chance: whether few features raise it, so that the real distribution itself has a floor
    above 0. is_skewed: whether its standard error grows with its value, since a few extreme videos make both.
    """

    name: str
    of: Literal["clips", "frames"] = "clips"
    layer: str | None = None
    compute: Callable[[FeatureSet, FeatureSet, MetricRule], float]
    lower_is_better: bool
    range: tuple[float, float] = (-np.inf, np.inf)
    influence: Callable[[FeatureSet, FeatureSet], Influences | None] = _unknown
    of_moments: bool = False
    rises_by_chance: bool = False
    is_skewed: bool = False


def on_features(
    name: str, function: Callable[[NDArray[np.float32], NDArray[np.float32]], float]
) -> Callable[[FeatureSet, FeatureSet, MetricRule], float]:
    """What a metric of this name computes by a function of all features of both sides, and of nothing in the rule."""

    def compute(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
        return function(all_features(name, "real", real), all_features(name, "fake", fake))

    return compute


def influence_on_features(
    function: Callable[[Float64, Float64], Influences],
) -> Callable[[FeatureSet, FeatureSet], Influences | None]:
    """Influences by a function of all features of both sides; None where these were not kept."""

    def influence(real: FeatureSet, fake: FeatureSet) -> Influences | None:
        real_features, fake_features = real.features(), fake.features()
        if real_features is None or fake_features is None:
            return None
        return function(real_features.astype(np.float64), fake_features.astype(np.float64))

    return influence


def all_features(name: str, side: Side, stats: FeatureSet) -> NDArray[np.float32]:
    """All features of a side. Raises MetricError when they were not kept, or are not finite."""
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
    """Influences less their mean, which is 0 but for rounding and for what an influence leaves out."""
    return np.asarray(values - values.mean())
