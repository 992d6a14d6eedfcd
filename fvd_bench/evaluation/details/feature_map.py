"""Both sides of an evaluation in the plane in which their features spread most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fvd_bench.features.moments import Float64
from fvd_bench.protocols.rules import SIDES, Side

_FEWEST = 4


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The points of both sides in a plane.

    places: [N, 2] for each side. parts: the parts of all variance along the two axes.
    """

    places: Mapping[Side, Float64]
    parts: tuple[float, float]


def feature_map(features: Mapping[Side, Float64]) -> FeatureMap | None:
    """Project both sides, [N, D] and [M, D], onto the first two principal axes of all their points together.

    Signs are such that the place furthest from 0 along each axis is positive. None for fewer than four points or
    dimensions, and where all points are the same.
    """
    from scipy.linalg import eigh

    pooled = np.concatenate([features[side] for side in SIDES])
    pooled = pooled - pooled.mean(axis=0)
    whole, least = float(np.sum(pooled**2)), min(pooled.shape)
    if least < _FEWEST or whole == 0:
        return None
    is_tall = len(pooled) > least
    products = pooled.T @ pooled if is_tall else pooled @ pooled.T
    values, vectors = eigh(products, subset_by_index=(least - 2, least - 1))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    where = pooled @ vectors if is_tall else vectors * np.sqrt(values)
    where = where * np.sign(where[np.abs(where).argmax(axis=0), (0, 1)] + 1e-300)
    count = len(features["real"])
    parts = float(values[0] / whole), float(values[1] / whole)
    return FeatureMap({"real": where[:count], "fake": where[count:]}, parts)
