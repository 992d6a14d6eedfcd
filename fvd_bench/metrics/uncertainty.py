"""How sure a score is: its standard error and confidence interval.

Both come from the features that made the score, without resampling. A bootstrap sees the same video several times,
which a covariance takes for less variety, so that bootstrapped Fréchet distances lie above the distance that they
should surround (benchmarks/coverage.py shows by how much).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.metrics import student_t
from fvd_bench.protocols.rules import SIDES, MetricRule, Side
from fvd_bench.random_stream import RandomStream

CONFIDENCE = 0.95

Sides = Mapping[Side, FeatureSet]

_GROUPS = 20
"""Groups of videos that are left out in turn, for metrics without a known influence function."""

SPLIT = 5
"""Purpose of a random stream, see sampling.py."""


@dataclass(slots=True)
class Spread:
    """What each video contributes to a score, averaged over repeats.

    When its videos are drawn anew, a score varies as the sum of their contributions does. Where the influence function
    is known, contributions are its values over the number of features. Else they are differences made by leaving out
    groups of videos (delete-group jackknife), or the scores of batches where these are averaged. Features of one video
    vary together, so they count as one.

    name: the name of the metric.
    rule: the rule that it follows.
    same_videos: whether the fake side is made of the real side's videos, so that both vary together. All then counts as
        `real`.
    """

    name: str
    rule: MetricRule
    same_videos: bool = False
    _parts: dict[Side, dict[int, float]] = field(default_factory=lambda: {side: {} for side in SIDES})
    _groups: dict[Side, dict[int, int]] = field(default_factory=lambda: {side: {} for side in SIDES})
    _unknown: set[Side] = field(default_factory=set)
    _repeats: int = 0

    def add(self, sides: Sides) -> None:
        """Take in one repeat."""
        self._repeats += 1
        groups = {side: self._groups["real" if self.same_videos else side] for side in SIDES}
        for side, found in _contributions(self.name, sides, self.rule, groups).items():
            if found is None:
                self._unknown.add(side)
                continue
            parts = self._parts["real" if self.same_videos else side]
            for unit, part in found.items():
                parts[unit] = parts.get(unit, 0.0) + part

    def contributions(self, side: Side) -> dict[int, float] | None:
        """Return what each video, group or batch adds to the score, by its number. None if that is not known."""
        if side in self._unknown or len(self._parts[side]) < 2:
            return None
        return {unit: part / self._repeats for unit, part in self._parts[side].items()}

    def error(self, side: Side) -> float | None:
        """Return the standard error of the score from drawing the videos of a side. None where it is not known."""
        parts = self.contributions(side)
        return None if parts is None else standard_error(list(parts.values()))

    def half_width(self) -> float | None:
        """Return half of the interval's width at these numbers of videos. None where what a side adds to it is not
        known."""
        if self.unknown():
            return None
        errors = {side: error for side in self._counted if (error := self.error(side)) is not None}
        return quantile(min(len(self._parts[side]) for side in errors)) * float(np.hypot.reduce(list(errors.values())))

    def unknown(self) -> str | None:
        """Say why there is no confidence interval. None where there is one."""
        unknown = self._unknown.intersection(metrics.METRICS[self.name].sides)
        missing = [side for side in SIDES if side in unknown or (side in self._counted and self.error(side) is None)]
        if not missing:
            return None
        return f"how much the {' and the '.join(missing)} videos matter to it is not known"

    @property
    def _counted(self) -> Sequence[Side]:
        """The sides whose errors make up that of the score."""
        if self.same_videos:
            return ("real",)
        if self.rule.aggregation != "all":  # the variation of batches belongs to both sides, and counts as fake
            return ("fake",)
        return metrics.METRICS[self.name].sides

    def interval(self, value: float) -> tuple[float, float] | None:
        """Return the confidence interval of a value, at these numbers of videos. None where it is not known."""
        half = self.half_width()
        if half is None:
            return None
        metric = metrics.METRICS[self.name]
        least, most = metric.range
        # Sets without extreme videos score less and seem surer than they are: the error is in proportion to the score,
        # to second order.
        above = half * (1 + half / max(value, half)) if metric.is_skewed and half else half
        return float(max(min(least, value), value - half)), float(min(max(most, value), value + above))


def standard_error(parts: Sequence[float]) -> float:
    """Return the standard error of a sum of two or more contributions, whose mean is 0 but for rounding."""
    values, count = np.array(parts), len(parts)
    return float(np.sqrt(np.sum((values - values.mean()) ** 2) * count / (count - 1)))


def quantile(videos: int, *, tail: float = (1 - CONFIDENCE) / 2) -> float:
    """Return how many standard errors a score of this many videos exceeds with a probability of `tail` (Student's
    t)."""
    return student_t.quantile(max(1, videos - 1), tail)


def p_value(change: float, error: float, videos: int) -> float:
    """Return the probability that chance alone makes a change at least this large, up or down (Student's t).

    error: the standard error of the change. videos: how many videos that comes from.
    """
    import scipy.special

    if error == 0:
        return float(change == 0)
    return float(2 * scipy.special.stdtr(max(1, videos - 1), -abs(change) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are, in the same order.

    With those below α taken for real, the probability that any is taken so by chance is at most α, however they depend
    on each other. Source: Holm 1979.
    """
    corrected, highest = list(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def influences(name: str, sides: Sides, rule: MetricRule) -> dict[Side, dict[int, float] | None]:
    """Return what each video of a side adds to a score, by its number. None where that is not known of single videos.

    It is the influence function over the number of features, summed over the features of the video. So to first order
    the score falls by this much, more than without an average video, where the video is left out.
    """
    sides = metrics.seen(name, sides, rule)
    known = metrics.METRICS[name].influence(sides["real"], sides["fake"]) if rule.aggregation == "all" else None
    return {side: _by_video(sides[side], i) for side, i in zip(SIDES, known or (None, None), strict=True)}


def _contributions(
    name: str, sides: Sides, rule: MetricRule, groups: Mapping[Side, dict[int, int]]
) -> dict[Side, dict[int, float] | None]:
    """Return what each video, group or batch of a side adds to a score. groups: see `_grouped`."""
    sides = metrics.seen(name, sides, rule)
    if rule.aggregation != "all":
        return _batch_contributions(name, sides, rule)
    known = influences(name, sides, rule)
    pieced = {side: _by_piece(name, sides, rule, side) for side in SIDES if sides[side].pieces}
    known |= {side: parts for side, parts in pieced.items() if parts}
    if any(parts is not None for parts in known.values()):
        return known
    if any(side.features() is None for side in sides.values()):
        return dict.fromkeys(SIDES)
    return {side: _jackknife(name, sides, rule, side, groups[side]) for side in SIDES}


def _by_piece(name: str, sides: Sides, rule: MetricRule, side: Side) -> dict[int, float] | None:
    """Return by how much leaving out each piece of a side lowers the score, scaled to a contribution. None where there
    are too few pieces."""
    pieces = sides[side].pieces
    assert pieces is not None
    scores = []
    for piece in range(len(pieces.moments) if len(pieces.moments) > 2 else 0):
        kept = {**sides, side: FeatureSet.of_known(pieces.without(piece))}
        scores.append(metrics.compute(name, kept["real"], kept["fake"], rule))
    if not scores:
        return None
    drops = (np.mean(scores) - np.array(scores)) * (len(scores) - 1) / len(scores)
    return dict(enumerate(drops.tolist()))


def _batch_contributions(name: str, sides: Sides, rule: MetricRule) -> dict[Side, dict[int, float] | None]:
    """Return what each batch contributes, by its number. The variation belongs to both sides, and all of it counts
    as fake."""
    scores = np.array(metrics.batch_scores(name, sides["real"], sides["fake"], rule))
    return {"fake": dict(enumerate(((scores - scores.mean()) / len(scores)).tolist()))}


def _by_video(side: FeatureSet, influences: Float64 | None) -> dict[int, float] | None:
    if influences is None:
        return None
    videos, places = np.unique(side.owners(), return_inverse=True)
    sums = np.bincount(places, weights=influences) / side.count
    return dict(zip(videos.tolist(), sums.tolist(), strict=True))


def _jackknife(name: str, sides: Sides, rule: MetricRule, side: Side, known: dict[int, int]) -> dict[int, float] | None:
    """Return by how much leaving out each group of videos lowers the score, scaled to a contribution. known: see
    `_grouped`."""
    videos, places = np.unique(sides[side].owners(), return_inverse=True)
    of_videos, groups = _grouped(videos.tolist(), known)
    members = np.array(of_videos, dtype=np.int64)[places]
    scores = []
    for group in range(groups):
        kept = {**sides, side: sides[side].selected(members != group)}
        try:
            scores.append(metrics.compute(name, kept["real"], kept["fake"], rule))
        except MetricError:  # too few videos are left for this metric
            return None
    if len(set(scores)) == 1:  # as at its limits, 0 or 1: what does not vary without a group says nothing of its error
        return None
    drops = (np.mean(scores) - np.array(scores)) * (groups - 1) / groups
    return dict(enumerate(drops.tolist()))


def _grouped(videos: Sequence[int], known: dict[int, int]) -> tuple[list[int], int]:
    """Return the group of each video, and how many groups there are.

    known: the group of each video that was seen before, which keeps it: repeats may take other videos, and those that
    they share vary together. New videos are added. Groups are random, since a listing may be periodic, for instance
    prompts by seeds.
    """
    groups = max(known.values()) + 1 if known else min(_GROUPS, len(videos))
    new = [video for video in videos if video not in known]
    known |= zip(new, (RandomStream(0, 0, SPLIT).permutation(np.arange(len(new))) % groups).tolist(), strict=True)
    return [known[video] for video in videos], groups
