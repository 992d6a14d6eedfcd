"""How a video moves: what a Fréchet distance on short clips does not show.

A video that repeats itself scores as well as one that goes on (Skorokhodov et al. 2022, StyleGAN-V, Appendix C: with
LSTM codes, whose motion collapses, FVD128 is 165.8 or 196.1, with its own 197.0), and FVD weighs the look of single
frames more than their motion (Ge et al. 2024, On the Content Bias in Fréchet Video Distance). So these numbers stand
beside FVD. They are made from small grey frames and need no network.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ShortVideoError
from fvd_bench.videos.greys import Greys, first_greys
from fvd_bench.videos.video import Video

MOST_FRAMES = 256
"""Only this many frames of a video are looked at, its first ones, so that time and memory do not grow with its
length."""

_FEWEST_FRAMES = 24
_LEAST_LAG = 8
"""Repetition is measured on videos of at least `_FEWEST_FRAMES` frames, and between frames that are at least
`_LEAST_LAG` apart: at smaller distances any motion is near itself."""

STILL = 0.07
"""A video stands still if its calmest two thirds have less energy than this, in grey levels.

Of 375 real videos all have 0.14 or more, and all but one 0.25. A still image coded as H.264 has at most 0.002 at
quality factors up to 35, and 0.03 at 45.
"""

LOOPS = 0.75
"""A video loops if its repetition is larger than this. The same real videos have 0.50 or less; loops cut from them have
1."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How the first frames of one video move.

    frames: number of frames that were looked at, 2 to 256.
    energy: mean absolute difference of neighbouring frames, in grey levels of 0 to 255.
    calm: the same over the two thirds in a row where it is least, so that a video that freezes is found.
    repetition: how near the video comes back to where it was, once it has left. 1 is as near as the next frame, 0 no
    nearer than any other. None for fewer than 24 frames, and for a video that stands still.
    changes: mean absolute difference of each frame and the next, in grey levels. None where a store of an older version
    does not say.
    """

    frames: int
    energy: float
    calm: float
    repetition: float | None
    changes: tuple[float, ...] | None = field(default=None, compare=False)

    @property
    def is_still(self) -> bool:
        return self.calm < STILL

    @property
    def is_loop(self) -> bool:
        return self.repetition is not None and self.repetition > LOOPS


@dataclass(frozen=True, slots=True)
class SideMotion:
    """How the videos of one side move.

    videos: number of measured videos.
    mean, median, spread: of their energies, in grey levels; spread is the population standard deviation.
    still: share of the videos that stand still for two thirds of their length or longer.
    asked: number of videos that move and are long enough for repetition.
    looping: share of these that repeat themselves, None where there are none.
    """

    videos: int
    mean: float
    median: float
    spread: float
    still: float
    asked: int
    looping: float | None


def measure(video: Video) -> Motion:
    """Measure a video in one pass over its first 256 frames.

    Raises VideoError, and ShortVideoError where fewer than 2 frames decode.
    """
    grey = first_greys(video, MOST_FRAMES)
    if len(grey) < 2:
        raise ShortVideoError(len(grey), 2)
    steps = _distances(grey, 1)
    energy, calm = _stored(steps.mean()), _stored(_least_mean(steps, -(-2 * len(steps) // 3)))
    repetition = None if len(grey) < _FEWEST_FRAMES or calm < STILL else _stored(_repetition(grey))
    return Motion(len(grey), energy, calm, repetition, tuple(map(_stored, steps)))


def summary(motions: Sequence[Motion]) -> SideMotion | None:
    """Sum up the motions of a side's videos, None where there are none."""
    if not motions:
        return None
    energies = [motion.energy for motion in motions]
    asked = [motion for motion in motions if motion.repetition is not None]
    return SideMotion(
        videos=len(motions),
        mean=statistics.fmean(energies),
        median=statistics.median(energies),
        spread=statistics.pstdev(energies),
        still=statistics.fmean(motion.is_still for motion in motions),
        asked=len(asked),
        looping=statistics.fmean(motion.is_loop for motion in asked) if asked else None,
    )


def _distances(grey: Greys, lag: int) -> NDArray[np.float64]:
    """Return the mean absolute difference of each pair of frames that are `lag` apart."""
    return np.asarray(np.abs(grey[lag:] - grey[:-lag]).mean(axis=(1, 2), dtype=np.float64))


def _least_mean(values: NDArray[np.float64], width: int) -> float:
    """Return the least mean of `width` values in a row."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return max(0.0, float((sums[width:] - sums[:-width]).min() / width))


def _repetition(grey: Greys) -> float:
    """Compute `Motion.repetition`.

    d(lag) is the mean distance of frames that far apart. Lags go up to two thirds of the frames, so that a loop is
    found when one and a half of its periods are seen. d exceeds `far` at a quarter of the lags. A video has left its
    start where d reaches `far`; a drift reaches it late and never comes back.
    """
    d = np.array([_distances(grey, lag).mean() for lag in range(1, 2 * len(grey) // 3 + 1)])
    far = np.quantile(d[_LEAST_LAG - 1 :], 0.75)
    back = d[max(int(np.argmax(d >= far)), _LEAST_LAG - 1) :].min()
    # Grain that is new in each frame keeps a loop as far from itself as the next frame is. Where even the next frame
    # is far away, its distance says nothing, and a loop has to come back entirely.
    near = d[0] if 1.5 * d[0] <= far else 0.0
    return float(np.clip(1 - (back - near) / (far - near), 0, 1))


def _stored(value: float) -> float:
    """Round a number as the store does, so that it is the same whether it was measured or looked up."""
    return float(np.float32(value))
