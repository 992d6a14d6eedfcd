"""Videos as points in feature space, with what is near to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.neighbours import Nearest, nearest
from fvd_bench.metrics.uncertainty import Sides
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES, Side


@dataclass(frozen=True, slots=True)
class Points:
    """The videos of a side as points in feature space, with what is near to them.

    videos: int [N], their indices. features: [N, D], the mean feature of each.
    other: the nearest points of the other side, None where there are none. own: those of their own side.
    """

    videos: list[int]
    features: Float64
    other: Nearest | None
    own: Nearest | None


def points_of(sides: Sides) -> dict[Side, Points]:
    """Return the points of each side whose features are known."""
    means = {side: found for side in SIDES if (found := _means(sides[side])) is not None}
    points: dict[Side, Points] = {}
    for side, (videos, features) in means.items():
        other = means.get(OTHER_SIDE[side])
        points[side] = Points(
            videos=videos,
            features=features,
            other=None if other is None else nearest(features, other[1]),
            own=nearest(features) if len(features) > 1 else None,
        )
    return points


def _means(side: FeatureSet) -> tuple[list[int], Float64] | None:
    """Return the videos of a side and their mean features [N, D]. None where only moments are known of it."""
    blocks = side.blocks()
    if blocks is None or side.count == 0:
        return None
    videos, places = np.unique(side.owners(), return_inverse=True)
    sums, first = np.zeros((len(videos), side.dim)), 0
    for block in blocks:
        np.add.at(sums, places[first : first + len(block)], block)
        first += len(block)
    return videos.tolist(), sums / np.bincount(places)[:, None]
