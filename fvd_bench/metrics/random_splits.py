"""Random pieces of a side, to find what a score would be at other numbers of videos."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Moments
from fvd_bench.metrics.covariance_roots import MANY


class RandomSplit:
    """A side whose videos are in some order, of which each piece takes a range.

    Where moments are all that is wanted, pieces of many features are held as these. They are added up of the parts
    between the places where any piece begins or ends, so that each feature is looked at once however many pieces it is
    in.
    """

    def __init__(self, side: FeatureSet, order: NDArray[np.int64], ends: Iterable[int], *, of_moments: bool) -> None:
        """Prepare a side whose features are all there.

        order: all of its videos. ends: every place where a piece may begin or end. of_moments: whether moments are all
        that is wanted.
        """
        self._side = side
        self._of_moments = of_moments
        sorter = np.argsort(order)
        self._places = sorter[np.searchsorted(order, side.owners(), sorter=sorter)]  # in the order, of each feature
        self._ends = sorted({0, len(order), *ends})
        self._parts: dict[int, Moments] = {}

    def piece(self, first: int, last: int) -> FeatureSet:
        """Return the videos from one place up to another, as features of one video: nothing asks whose they are."""
        kept = self._between(first, last)
        if not self._of_moments or kept.sum() < MANY * self._side.dim:
            return self._side.selected(kept, as_one=True)
        inside = [start for start in self._ends if first <= start < last]
        whole = self._part(inside[0])
        for start in inside[1:]:
            whole = whole.joined(self._part(start))
        return FeatureSet.of_known(whole)

    def _part(self, start: int) -> Moments:
        """Return the moments of what lies between an end and the next."""
        if start not in self._parts:
            kept = self._between(start, dict(itertools.pairwise(self._ends))[start])
            self._parts[start] = self._side.selected(kept, as_one=True).moments()
        return self._parts[start]

    def _between(self, first: int, last: int) -> NDArray[np.bool_]:
        """Return which features are of the videos from one place up to another."""
        return (self._places >= first) & (self._places < last)
