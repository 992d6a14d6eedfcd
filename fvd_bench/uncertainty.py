"""How sure a score is: its standard error, the floor that real videos reach, its value at infinitely many videos.

All of it comes from the features that made the score. Nothing is drawn with repetition: a bootstrap sees the same video
several times, which a covariance takes for less variety, so that bootstrapped Fréchet distances lie above the
distance that they should surround (benchmarks/coverage.py shows by how much).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.influence import influence
from fvd_bench.random_stream import RandomStream
from fvd_bench.result import Estimate
from fvd_bench.rules import SIDES, MetricRule, Side
from fvd_bench.stats import FeatureStats, Float64

CONFIDENCE = 0.95

Sides = Mapping[Side, FeatureStats]

_GROUPS = 20
"""Groups of videos that are left out in turn for metrics without a known influence function."""

_FEWEST = 8
"""Videos of a side below which it cannot be cut into quarters."""

_SPLIT = 5
"""Purpose of a random generator, see sampling.py."""

_BIASED = ("fvd", "fid", "kvd-biased")
"""Metrics that chance raises on average, the more so the fewer videos there are."""

_RANGES = {
    **dict.fromkeys(("fvd", "fid", "kvd-biased", "density"), (0.0, np.inf)),
    **dict.fromkeys(("precision", "recall", "coverage"), (0.0, 1.0)),
    "is": (1.0, np.inf),
}
"""What a metric can be; chance may take the unbiased kernel distances below 0."""

_FEW = 2
"""1/N + 1/M here over that of two halves of the real videos, from which on these are scored directly."""

_DIRECT = 8
"""Draws of few real videos against the others."""

_SMALL_DIM = 512
"""Features longer than this are cut once instead of `_CUTS` times: each distance of theirs takes seconds."""

_CUTS = 4


@dataclass(slots=True)
class Spread:
    """What each video contributes to a score, averaged over repeats.

    A score varies, when its videos are drawn anew, as the sum of their contributions does. These are values of the
    influence function over the number of features where that function is known, else differences made by leaving
    out groups of videos (delete-group jackknife), or the scores of batches where these are averaged. Features of one
    video vary together, so they count as one.

    same_videos: the fake side is made of the real side's videos, so that both vary together; all counts as `real`.
    """

    name: str
    rule: MetricRule
    same_videos: bool = False
    _parts: dict[Side, dict[int, float]] = field(default_factory=lambda: {side: {} for side in SIDES})
    _unknown: set[Side] = field(default_factory=set)
    _repeats: int = 0

    def add(self, sides: Sides) -> None:
        """Take in one repeat."""
        self._repeats += 1
        for side, found in _contributions(self.name, sides, self.rule).items():
            if found is None:
                self._unknown.add(side)
                continue
            parts = self._parts["real" if self.same_videos else side]
            for unit, part in found.items():
                parts[unit] = parts.get(unit, 0.0) + part

    def contributions(self, side: Side) -> dict[int, float] | None:
        """Index of a video, or number of a group or batch -> what it adds to the score; None if that is not known."""
        if side in self._unknown or len(self._parts[side]) < 2:
            return None
        return {unit: part / self._repeats for unit, part in self._parts[side].items()}

    def error(self, side: Side) -> float | None:
        """Standard error of the score from drawing the videos of a side, None where it is not known."""
        parts = self.contributions(side)
        return None if parts is None else standard_error(list(parts.values()))

    def half_width(self) -> float | None:
        """Of the confidence interval at these numbers of videos; a side of unknown error adds nothing to it."""
        errors = {side: error for side in SIDES if (error := self.error(side)) is not None}
        if not errors:
            return None
        return quantile(min(len(self._parts[side]) for side in errors)) * float(np.hypot.reduce(list(errors.values())))

    def interval(self, value: float) -> tuple[float, float] | None:
        """The confidence interval of a value, at these numbers of videos."""
        half = self.half_width()
        if half is None:
            return None
        least, most = _RANGES.get(self.name, (-np.inf, np.inf))
        return float(max(min(least, value), value - half)), float(min(max(most, value), value + half))


def standard_error(parts: Sequence[float]) -> float:
    """Standard error of a sum of contributions, two or more, whose mean is 0 but for rounding."""
    values, count = np.array(parts), len(parts)
    return float(np.sqrt(np.sum((values - values.mean()) ** 2) * count / (count - 1)))


def quantile(videos: int, *, tail: float = (1 - CONFIDENCE) / 2) -> float:
    """Standard errors that a score of this many videos exceeds with a probability of `tail` (Student's t)."""
    return float(scipy.stats.t.ppf(1 - tail, max(1, videos - 1)))


def floor(name: str, sides: Sides, rule: MetricRule, *, seed: int) -> Estimate | None:
    """What the real videos would score against others of their kind, at the numbers of real and fake videos.

    The real videos are cut at random into halves and into quarters, and the pieces scored against each other. With
    nothing between the two sides but chance, a distance is a·u + b·u² to second order, u = 1/N + 1/M; a and b come
    from the means at both sizes. The interval is that of single scores: a generator inside it cannot be told from
    the real videos. None where chance adds nothing on average, and where a quarter is too small to be scored.
    """
    real, count = sides["real"], _num_videos(sides["real"])
    if name not in _BIASED or count < max(_FEWEST, 4 * rule.batch) or real.features() is None:
        return None
    stream = RandomStream(seed, 0, _SPLIT)
    at_halves, here = 4 / count, 1 / count + 1 / _num_videos(sides["fake"])
    if rule.aggregation == "all" and here > _FEW * at_halves:
        return _direct_floor(name, real, rule, _num_videos(sides["fake"]), stream)
    halves: list[float] = []
    quarters: list[float] = []
    for _ in range(2 * _cuts(real)):
        a, b = _pieces(real, 2, stream)
        halves.append(metrics.compute(name, a, b, rule))
        a, b, c, d = _pieces(real, 4, stream)
        quarters += [metrics.compute(name, a, b, rule), metrics.compute(name, c, d, rule)]
    mean, mean_of_quarters = float(np.mean(halves)), float(np.mean(quarters))
    value, scale = mean, 1.0
    if rule.aggregation == "all":  # else scores are of batches, whose size is the same everywhere
        sizes = [[at_halves, at_halves**2], [2 * at_halves, (2 * at_halves) ** 2]]
        linear, square = np.linalg.solve(sizes, [mean, mean_of_quarters])
        value, scale = float(linear * here + square * here**2), here / at_halves
    # The spread of scores that chance alone makes is proportional to u, like their mean.
    off = [h - mean for h in halves] + [(q - mean_of_quarters) / 2 for q in quarters]
    return _floor_estimate(value, scale * float(np.sqrt(np.sum(np.square(off)) / (len(off) - 2))), len(off))


def _direct_floor(name: str, real: FeatureStats, rule: MetricRule, fakes: int, stream: RandomStream) -> Estimate:
    """The floor where fake videos are few: as many real ones, drawn at random, against the rest."""
    owners = real.owners()
    videos = np.unique(owners)
    scores = []
    for _ in range(_DIRECT):
        drawn = np.isin(owners, stream.permutation(videos)[:fakes])
        scores.append(metrics.compute(name, _part(real, ~drawn), _part(real, drawn), rule))
    scale = (1 / len(videos) + 1 / fakes) / (1 / (len(videos) - fakes) + 1 / fakes)
    return _floor_estimate(scale * float(np.mean(scores)), scale * float(np.std(scores, ddof=1)), _DIRECT)


def _floor_estimate(value: float, spread: float, scores: int) -> Estimate:
    half = quantile(scores) * spread
    return Estimate(max(0.0, value), (max(0.0, value - half), max(0.0, value + half)))


def infinite(spread: Spread, sides: Sides, *, seed: int) -> Estimate | None:
    """The score at infinitely many videos, from the features of the one repeat that `spread` has seen.

    A parabola in 1/N through the score of all videos, and the means over random halves and quarters of both sides
    (FID∞ of Chong and Forsyth 2020, with one more term). The interval joins that of the score, whose chances it
    shares, with what the third point changed. None where chance adds nothing on average, for means over batches,
    and below 8 videos a side.
    """
    name, rule = spread.name, spread.rule
    if name not in _BIASED or rule.aggregation != "all" or min(map(_num_videos, sides.values())) < _FEWEST:
        return None
    if any(side.features() is None for side in sides.values()):
        return None
    stream = RandomStream(seed, 0, _SPLIT)
    means: list[float] = []
    for parts, cuts in ((1, 1), (2, _cuts(sides["real"])), (4, _cuts(sides["real"]))):
        scores: list[float] = []
        for _ in range(cuts):
            pieces = [_pieces(sides[side], parts, stream) for side in SIDES]
            scores += [metrics.compute(name, real, fake, rule) for real, fake in zip(*pieces, strict=True)]
        means.append(float(np.mean(scores)))
    straight = 2 * means[0] - means[1]
    value = float(np.dot((8 / 3, -2, 1 / 3), means))  # at 1/N = 0 of the parabola through 1/N, 2/N and 4/N
    half = float(np.hypot(spread.half_width() or 0.0, value - straight))
    return Estimate(max(0.0, value), (max(0.0, value - half), max(0.0, value + half)))


def _contributions(name: str, sides: Sides, rule: MetricRule) -> dict[Side, dict[int, float] | None]:
    if rule.aggregation != "all":
        return _batch_contributions(name, sides, rule)
    influences = influence(name, sides["real"], sides["fake"])
    if influences is not None:
        return {side: _by_video(sides[side], i) for side, i in zip(SIDES, influences, strict=True)}
    if any(side.features() is None for side in sides.values()):
        return dict.fromkeys(SIDES)
    return {side: _jackknife(name, sides, rule, side) for side in SIDES}


def _batch_contributions(name: str, sides: Sides, rule: MetricRule) -> dict[Side, dict[int, float] | None]:
    """Number of a batch -> what it contributes. The sides share its chance; all of it counts as the fake one's."""
    scores = np.array(metrics.batch_scores(name, sides["real"], sides["fake"], rule))
    return {"real": None, "fake": dict(enumerate(((scores - scores.mean()) / len(scores)).tolist()))}


def _by_video(side: FeatureStats, influences: Float64 | None) -> dict[int, float] | None:
    if influences is None:
        return None
    videos, places = np.unique(side.owners(), return_inverse=True)
    sums = np.bincount(places, weights=influences) / side.count
    return dict(zip(videos.tolist(), sums.tolist(), strict=True))


def _jackknife(name: str, sides: Sides, rule: MetricRule, side: Side) -> dict[int, float] | None:
    """Number of a group -> by how much leaving out its videos lowers the score, scaled to a contribution."""
    videos, places = np.unique(sides[side].owners(), return_inverse=True)
    groups = min(_GROUPS, len(videos))
    # At random, since a listing may have a period: prompts by seeds, for one.
    members = (RandomStream(0, 0, _SPLIT).permutation(np.arange(len(videos))) % groups)[places]
    scores = []
    for group in range(groups):
        kept = {**sides, side: _part(sides[side], members != group)}
        try:
            scores.append(metrics.compute(name, kept["real"], kept["fake"], rule))
        except MetricError:  # what is left is too little for this metric
            return None
    drops = (np.mean(scores) - np.array(scores)) * (groups - 1) / groups
    return dict(enumerate(drops.tolist())) if drops.any() else None  # at 0 or 1 it knows of no chance


def _pieces(side: FeatureStats, parts: int, stream: RandomStream) -> list[FeatureStats]:
    """All videos of a side, in as many random parts of equal size."""
    owners = side.owners()
    videos = np.unique(owners)
    return [_part(side, np.isin(owners, piece)) for piece in np.array_split(stream.permutation(videos), parts)]


def _part(side: FeatureStats, kept: NDArray[np.bool_]) -> FeatureStats:
    features = side.features()
    assert features is not None
    return FeatureStats.of(features[kept])


def _num_videos(side: FeatureStats) -> int:
    return len(set(side.videos))


def _cuts(side: FeatureStats) -> int:
    return _CUTS if side.dim <= _SMALL_DIM else 1
