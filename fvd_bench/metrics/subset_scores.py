"""Scores of random subsets of both sides: how a score falls with the number of videos, up to the number at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.metrics.random_splits import RandomSplit
from fvd_bench.metrics.uncertainty import SPLIT, Sides
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.random_stream import RandomStream

_PARTS = (8, 4, 2)
_FEWEST = 8
"""Fewest videos of a subset."""

_MOST_PIECES = 4
_MOST_VALUES = 2**22
"""The most values that the features of a side may have: 10,485 clips of I3D. More would take long to score in parts."""


@dataclass(frozen=True, slots=True)
class SubsetScores:
    """The scores of subsets of one size.

    real, fake: the number of videos of each side in a subset. values: one score for each subset.
    """

    real: int
    fake: int
    values: tuple[float, ...]


def subset_scores(name: str, sides: Sides, rule: MetricRule, *, seed: int) -> list[SubsetScores]:
    """Return the scores of eighths, quarters and halves of both sides, as far as these have enough videos.

    Up to four subsets of each size are drawn, and no video is in two of one size. Empty where features were not
    kept, where the metric is no distance that chance raises, and for means over batches.
    """
    kept = [side.features() for side in sides.values()]
    if not metrics.METRICS[name].rises_by_chance or rule.aggregation != "all" or any(f is None for f in kept):
        return []
    if max(side.count * side.dim for side in sides.values()) > _MOST_VALUES:
        return []
    stream, found = RandomStream(seed, 1, SPLIT), []
    videos = {side: np.unique(features.owners()) for side, features in sides.items()}
    for parts in _PARTS:
        sizes = {side: len(of_side) // parts for side, of_side in videos.items()}
        if min(sizes.values()) < _FEWEST:
            continue
        split = {
            side: RandomSplit(sides[side], stream.permutation(videos[side]), (), of_moments=False) for side in videos
        }
        values = []
        for piece in range(min(parts, _MOST_PIECES)):
            ends = {side: (piece * size, (piece + 1) * size) for side, size in sizes.items()}
            real, fake = (split[side].piece(*ends[side]) for side in ("real", "fake"))
            try:
                values.append(metrics.compute(name, real, fake, rule))
            except MetricError:  # too few for this metric
                break
        if values:
            found.append(SubsetScores(sizes["real"], sizes["fake"], tuple(values)))
    return found
