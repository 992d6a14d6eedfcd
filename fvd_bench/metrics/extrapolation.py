"""The floor that real videos reach, and the score at infinitely many videos.

Both come from scores of random pieces of the sets at hand, extrapolated to other numbers of videos. Where videos do not
outnumber dimensions, a Fréchet distance follows no simple law in their number. `frechet_bias.py` has the law that it
does follow, and knows how much of it the data do not show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fvd_bench import metrics
from fvd_bench.estimate import Estimate
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.frechet import distance_and_overlap
from fvd_bench.metrics.frechet_bias import Overlap
from fvd_bench.metrics.random_splits import RandomSplit
from fvd_bench.metrics.uncertainty import SPLIT, Sides, Spread, quantile
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.random_stream import RandomStream

TOO_FEW = "too few videos for this many dimensions"

_FEWEST = 8
"""Fewest videos of a side that can be cut into quarters."""

_CUTS = ((2**19, 8), (2**21, 4))
_FEWEST_CUTS = 2
"""How often a side of at most so many values is cut (1,310 and 5,242 clips of I3D), and any larger one. With more
values cuts vary less, and take long."""

_KNOWN_BY = 4
"""The most degrees of freedom of the spread of single scores, since more cuts are of the same videos."""

_UNSURE = 2.0
"""A correction has a standard error as large as itself, and its interval ends at this many standard errors."""

_GUESSED = 0.15
"""If more than this fraction of what chance adds lies beyond what the data show, there is no score at infinity."""

_DOUBLINGS = 2.0
"""The most doublings of the videos over which the law's error at quarters is extrapolated."""

_HALVINGS = 20
"""Bisections that find how many features would make chance add as much."""


def floor(name: str, sides: Sides, rule: MetricRule, *, seed: int) -> Estimate | str | None:
    """Return what the real videos would score against others of their kind, at the numbers of real and fake videos.

    The real videos are cut at random in two: as many as there are fake videos and the rest, or halves. The mean score
    of such pieces is scaled to the numbers at hand by what chance adds at either. Pieces of half of the videos show how
    far that law is off, and the floor is corrected by it.

    Clips of one video are alike, so videos of few clips are worth nearly as much as those of many. Where fake videos
    have fewer clips than real ones, real videos of as few show what these are worth. Where they have more, each counts
    as much as a real one.

    The interval is that of single scores: a generator inside it cannot be told from the real videos. Its width comes
    from how far apart the scores of pieces without a common video are, and from the correction.
    Returns a text that says why where there is no floor, and None where chance adds nothing on average.
    """
    real, count, fakes = sides["real"], _num_videos(sides["real"]), max(2, _num_videos(sides["fake"]))
    if not metrics.METRICS[name].rises_by_chance:
        return None
    if real.features() is None:
        return "of the real side only mean and covariance were kept"
    if count < max(_FEWEST, 4 * rule.batch):
        return f"{count} real videos, or groups of them, are too few to be cut into quarters"
    stream, videos = RandomStream(seed, 0, SPLIT), np.unique(real.owners())
    half = count // 2
    few = min(max(fakes, rule.batch), half)
    fewer = max(2, rule.batch, few * half // count)
    thinned = _thinned(real, sides["fake"], seed) if rule.aggregation == "all" else None
    scores, of_few_clips, below, overlaps = [], [], [], []
    cuts = _cuts(real)
    for _ in range(cuts):
        ends = fewer, few, half, half + fewer, 2 * half
        order, of_moments = stream.permutation(videos), _is_of_moments(name, rule)
        split = RandomSplit(real, order, ends, of_moments=of_moments)
        pieces = split.piece(few, count), split.piece(0, few)
        value, overlap = _scored(name, *pieces, rule)
        scores.append(value)
        overlaps.append(overlap)
        if thinned is not None:
            small = RandomSplit(thinned, order, (few,), of_moments=of_moments).piece(0, few)
            of_few_clips.append(_scored(name, pieces[0], small, rule)[0])
        for start in (0, half):
            smaller = split.piece(start + fewer, start + half), split.piece(start, start + fewer)
            below.append(_scored(name, *smaller, rule)[0])
    law = _Law.of(name, rule, overlaps, *pieces)
    counts = pieces[0].count, pieces[1].count
    there = law.added(*counts)
    if min(*scores, *below, there) <= 0:
        return "parts of the real videos do not differ"
    worth = law.worth(*counts, float(np.mean(of_few_clips) / np.mean(scores))) if of_few_clips else 1.0
    fake_count = fakes * worth * real.count / count if sides["fake"].videos else fakes
    value, amiss = float(np.mean(scores)) * law.added(real.count, fake_count) / there, 0.0
    if rule.aggregation == "all":
        doublings = math.log2((1 / (count - few) + 1 / few) / (1 / count + 1 / (fakes * worth)))
        off = math.log(law.added(smaller[0].count, smaller[1].count) / there * float(np.mean(scores) / np.mean(below)))
        amiss = off * min(max(doublings, 0.0), _DOUBLINGS)
    gaps = np.diff(np.log(below).reshape(-1, 2), axis=1)
    spread = math.sqrt(float(np.mean(gaps**2)) / 2)
    width = math.hypot(quantile(min(cuts, _KNOWN_BY) + 1) * spread, _UNSURE * amiss)
    value *= math.exp(amiss)
    return Estimate(value, (value * math.exp(-width), value * math.exp(width)))


def infinite(spread: Spread, sides: Sides, *, seed: int) -> Estimate | str | None:
    """Return the score at infinitely many videos, from the features of the one repeat that `spread` has seen.

    That is the score less what chance adds to it. Chance adds what halves of both sides score more, times the ratio of
    what is expected at either number. Where videos outnumber dimensions the ratio is 1, and this is a straight line in
    1/N (FID∞ of Chong and Forsyth 2020). The interval joins that of the score with how far a straight line is off.
    Returns a text that says why where there is no such score, and None where chance adds nothing on average, or for
    means over batches, which do not change with the number of videos.
    """
    name, rule, real, fake = spread.name, spread.rule, sides["real"], sides["fake"]
    if not metrics.METRICS[name].rises_by_chance or rule.aggregation != "all":
        return None
    if any(0 < _num_videos(side) < _FEWEST for side in sides.values()):
        return f"fewer than {_FEWEST} videos"
    if folded := [side for side, features in sides.items() if features.features() is None]:
        return f"of the {' and the '.join(folded)} side only mean and covariance were kept"
    if (width := spread.half_width()) is None:
        return "how much the videos of both sides matter is not known"
    score, overlap = _scored(name, real, fake, rule)
    if overlap is not None:  # each video counts as one feature, as all its clips show no more dimensions than one
        counts = _num_videos(real), _num_videos(fake)
        if Overlap.of(overlap, *counts, real.dim).guessed(*counts) > _GUESSED:
            return TOO_FEW
    law = _Law.of(name, rule, [overlap], real, fake)
    stream, halves = RandomStream(seed, 0, SPLIT), []
    for _ in range(_cuts(real) // 2):
        cut = [_halves(side, stream, of_moments=_is_of_moments(name, rule)) for side in (real, fake)]
        halves += [(_scored(name, a, b, rule)[0], (a, b)) for a, b in zip(*cut, strict=True)]
    rise, expected = float(np.mean([value for value, _ in halves])) - score, law.added(real.count, fake.count)
    if expected <= 0:
        return "both sides vary in no direction together"
    at_half = float(np.mean([law.added(a.count, b.count) for _, (a, b) in halves]))
    value = score - rise * expected / (at_half - expected)
    half = math.hypot(width, value - (score - rise))
    return Estimate(max(0.0, value), (max(0.0, value - half), max(0.0, value + half)))


class _Law:
    """What chance adds to a score at some numbers of features, up to a factor."""

    def __init__(self, name: str, rule: MetricRule, overlap: Overlap | None) -> None:
        self._name, self._rule, self._overlap = name, rule, overlap

    @classmethod
    def of(
        cls, name: str, rule: MetricRule, overlaps: Sequence[Float64 | None], real: FeatureSet, fake: FeatureSet
    ) -> _Law:
        """Make the law of a metric; for Fréchet distances from those at the numbers of features of these sides.

        overlaps: the singular values behind each distance. None for other metrics.
        """
        values = np.zeros(real.dim)
        for overlap in overlaps:
            if overlap is None:
                return cls(name, rule, None)
            values[: len(overlap)] += overlap / len(overlaps)
        return cls(name, rule, Overlap.of(values, real.count, fake.count, real.dim))

    def added(self, real: float, fake: float) -> float:
        """Return what chance adds at these numbers of real and fake features."""
        if self._rule.aggregation != "all":  # batches have the same size in all pieces
            return 1.0
        if metrics.METRICS[self._name].pairs:
            return 2 / min(real, fake)
        if self._overlap is None:  # such a metric is an average of squared means
            return 1 / real + 1 / fake
        return self._overlap.added(real, fake, self._rule.ddof)

    def worth(self, real: int, fake: int, rise: float) -> float:
        """Return what part of the fake features, 1 at most, would make chance add `rise` times as much."""
        low, high, wanted = 2 / fake, 1.0, rise * self.added(real, fake)
        for _ in range(_HALVINGS):
            part = math.sqrt(low * high)
            low, high = (low, part) if self.added(real, part * fake) < wanted else (part, high)
        return high if rise > 1 else 1.0


def _scored(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> tuple[float, Float64 | None]:
    """Return a score, and for Fréchet distances of all features the singular values behind it. Else None."""
    if _is_of_moments(name, rule):
        return distance_and_overlap(real, fake, rule)
    return metrics.compute(name, real, fake, rule), None


def _is_of_moments(name: str, rule: MetricRule) -> bool:
    return metrics.METRICS[name].of_moments and rule.aggregation == "all"


def _halves(side: FeatureSet, stream: RandomStream, *, of_moments: bool) -> list[FeatureSet]:
    order = stream.permutation(np.unique(side.owners()))
    half = -(-len(order) // 2)
    split = RandomSplit(side, order, (half,), of_moments=of_moments)
    return [split.piece(0, half), split.piece(half, len(order))]


def _num_videos(side: FeatureSet) -> int:
    """Return the number of videos of a side. Of moments, which know no videos, that of features; 0 where that is not
    known."""
    return len(set(side.videos)) or side.count


def _thinned(real: FeatureSet, fake: FeatureSet, seed: int) -> FeatureSet | None:
    """Return the real videos with as many clips in a row of each as fake videos have of theirs on average, from a
    random one on. None where that leaves out none, or where the clips of a fake video are not known."""
    share = len(set(fake.videos)) and fake.count / len(set(fake.videos)) / (real.count / len(set(real.videos)))
    if not 0 < share < 1:
        return None
    stream = RandomStream(seed, 2, SPLIT)
    _, videos, sizes = np.unique(real.owners(), return_inverse=True, return_counts=True)
    places = np.empty(real.count, dtype=np.int64)  # of each clip in its video
    places[np.argsort(videos, kind="stable")] = np.arange(real.count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    few = np.maximum(1, np.rint(share * sizes)).astype(np.int64)
    first = np.array([stream.below(choices) for choices in (sizes - few + 1).tolist()])
    kept = (places >= first[videos]) & (places < (first + few)[videos])
    return None if kept.all() else real.selected(kept)


def _cuts(side: FeatureSet) -> int:
    return next((cuts for values, cuts in _CUTS if side.count * side.dim <= values), _FEWEST_CUTS)
