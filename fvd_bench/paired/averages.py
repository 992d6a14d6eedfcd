"""From numbers of frames to the score of a set, its curve over the frames, and intervals by drawing the videos anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from fvd_bench.features.moments import Float64
from fvd_bench.paired.differences import decibels, steadiness
from fvd_bench.paired.measurement import Measured, measures_of
from fvd_bench.protocols.paired import FlickeringRule, PsnrRule, Rule
from fvd_bench.random_stream import RandomStream

RESAMPLES = 1000
_AT_A_TIME = 50

_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each video of a set adds to a score, which is a weighted mean that `finish` makes a score.

    of_videos, weights: [N]. of_frames: of each video [T], which weigh `frame_weights` [N] in the mean at their index.
    """

    of_videos: Float64
    weights: Float64
    of_frames: Sequence[Float64]
    frame_weights: Float64
    finish: Callable[[Float64], Float64]

    @property
    def values(self) -> Float64:
        """The score of each video by itself."""
        return self.finish(self.of_videos)


@dataclass(frozen=True, slots=True)
class Averages:
    """The score of a set and its curve over the frames: each with its 95 % interval where it is known.

    Values may be infinite. intervals: [T, 2], NaN where not known. videos: how many have a frame at each index.
    """

    value: float
    interval: tuple[float, float] | None
    curve: Float64
    intervals: Float64
    videos: NDArray[np.int64]


def contributions(rule: Rule, pairs: Sequence[Measured]) -> Contributions:
    """Return what pairs add to a score by a rule. Each pair has to have what the rule needs."""
    of = measures_of(rule)[0]
    frames = [np.array(pair.values[of]) for pair in pairs]
    finish: Callable[[Float64], Float64] = np.asarray  # changes nothing
    if isinstance(rule, FlickeringRule):
        frames = [steadiness(values) for values in frames]
    means, lengths = np.array([values.mean() for values in frames]), np.array([len(values) for values in frames])
    frame_weights = np.ones(len(pairs))
    weights = frame_weights if rule.average == "videos" else lengths.astype(np.float64)
    if isinstance(rule, PsnrRule) and rule.pool == "all":
        frame_weights = np.array([float(np.prod(pair.size)) for pair in pairs])
        weights = frame_weights * lengths
        finish = partial(decibels, rule=rule)
    elif isinstance(rule, PsnrRule):
        frames = [decibels(errors, rule) for errors in frames]
        means = decibels(means, rule) if rule.pool == "video" else np.array([values.mean() for values in frames])
    return Contributions(means, weights, frames, frame_weights, finish)


def averages(of: Contributions, groups: Sequence[int], seed: int) -> Averages:
    """Average over videos, and over the videos at each index of a frame.

    groups: of each video; those of one group are drawn together. seed: of the resamples. Intervals are percentiles of
    `RESAMPLES` sets of as many groups, drawn with repetition, the same ones for every score; of one group there are
    none, and none with an infinite end, as where some sets have nothing but equal frames.
    """
    longest = max(map(len, of.of_frames))
    above, below = np.zeros((len(of.weights), 1 + longest)), np.zeros((len(of.weights), 1 + longest))
    above[:, 0], below[:, 0] = of.of_videos * of.weights, of.weights
    for row, (values, weight) in enumerate(zip(of.of_frames, of.frame_weights, strict=True)):
        above[row, 1 : 1 + len(values)], below[row, 1 : 1 + len(values)] = values * weight, weight
    videos = np.count_nonzero(below[:, 1:], axis=0)
    means = of.finish(above.sum(axis=0) / below.sum(axis=0))
    kinds, places = np.unique(groups, return_inverse=True)
    grouped = np.zeros((2, len(kinds), 1 + longest))
    for total, rows in zip(grouped, (above, below), strict=True):
        np.add.at(total, places, rows)
    intervals = np.full((1 + longest, 2), np.nan)
    known = np.isfinite(means) & (np.count_nonzero(grouped[1], axis=0) > 1)
    if known.any():
        ratios = _resampled(grouped[0][:, known], grouped[1][:, known], seed)
        with np.errstate(invalid="ignore"):  # between two infinite scores
            intervals[known] = np.nanquantile(of.finish(ratios), _ENDS, axis=0).T
    intervals[~np.isfinite(intervals).all(axis=1)] = np.nan
    interval = None if np.isnan(intervals[0, 0]) else (float(intervals[0, 0]), float(intervals[0, 1]))
    return Averages(float(means[0]), interval, means[1:], intervals[1:], videos)


def _resampled(above: Float64, below: Float64, seed: int) -> Float64:
    """Return the ratio of the sums over each resample: [RESAMPLES, M], NaN where nothing was drawn that has a part.

    above, below: [N, M].
    """
    times, found = _times_drawn(len(above), seed), []
    for first in range(0, RESAMPLES, _AT_A_TIME):
        counts = times[first : first + _AT_A_TIME].astype(np.float64)
        sums = counts @ below
        found.append(np.divide(counts @ above, sums, out=np.full(sums.shape, np.nan), where=sums > 0))
    return np.concatenate(found)


@lru_cache(maxsize=1)  # all scores of one set draw the same
def _times_drawn(number: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each of so many groups is drawn in each resample: [RESAMPLES, number]. Once, on average."""
    times = np.empty((RESAMPLES, number), np.uint8)  # a kilobyte for each group, while the numbers are kept
    for row, counts in enumerate(times):
        drawn = (RandomStream(seed, row).uniform((number,)) + 1) / 2 * number
        counts[:] = np.bincount(drawn.astype(np.int64), minlength=number)
    return times
