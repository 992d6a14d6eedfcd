"""Whether frames follow each other at equal intervals, judged by their times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Intervals = tuple[float, float]
"""Shortest and longest time from one frame to the next, in milliseconds."""

_Number = TypeVar("_Number", int, float)

_JITTER = 0.10
"""Fraction of the usual interval by which others may differ at a constant rate. Cameras jitter by less, a dropped
frame doubles an interval, and 24 frames a second shown as 30 change it by a quarter."""


_ROUNDED = 1 + 1e-6
"""Ticks by which rounded times may differ, in both directions together, from those of a constant rate."""


class Time(NamedTuple):
    """When a frame is shown.

    ticks: time by the container's clock, counted in its ticks.
    tick: seconds that one tick lasts.
    """

    ticks: int
    tick: float

    @classmethod
    def from_head(cls, head: Any) -> Time | None:
        """Make a time from two JSON values, or None from null. Raises TypeError, ValueError."""
        if head is None:
            return None
        ticks, tick = head
        if type(ticks) is not int or not -(2**63) <= ticks < 2**63:
            raise ValueError(f"{ticks!r:.80} is no number of ticks")
        if type(tick) is not float or not math.isfinite(tick) or tick <= 0:
            raise ValueError(f"{tick!r:.80} is no length of a tick")
        return cls(ticks, tick)


def uneven(times: Sequence[int], tick: float, places: Sequence[int] | None = None) -> Intervals | None:
    """Return the shortest and the longest interval between frames, or None where these are those of a constant rate.

    times: the times of the frames in ticks.
    tick: seconds that one tick lasts.
    places: the places of the frames in their video, needed where frames between them are left out. None where none are.
    With fewer than three frames the result is None.
    """
    order = np.argsort(times if places is None else places, kind="stable")
    ticks: NDArray[np.int64] = np.array(times, dtype=np.int64)[order]
    gaps = np.ones(max(len(ticks) - 1, 0)) if places is None else np.diff(np.array(places, dtype=np.int64)[order])
    steps = np.diff(ticks)[gaps > 0] / gaps[gaps > 0]
    if len(steps) < 2:
        return None
    usual = float(np.median(steps))
    rounding = 1 / gaps[gaps > 0] if usual > 2 else 0.0  # times are rounded to ticks, such as milliseconds
    if (np.abs(steps - usual) <= _JITTER * usual + rounding).all():
        return None
    return round(1000 * tick * float(steps.min()), 3), round(1000 * tick * float(steps.max()), 3)


def total_seconds(times: Sequence[int], tick: float, *, last: int = 0, rate: float | None = None) -> float | None:
    """Return the seconds from the first frame to the end of the last, None where their times do not tell.

    times: the times of the frames in ticks. tick: seconds that one tick lasts.
    last: how many ticks the last frame is shown. With 0 it counts for as long as the others on average.
    rate: frames a second as the header has it. Where the times are those of this rate, but for the rounding to ticks,
        so is the length.
    """
    frames = len(times)
    shown = max(times, default=0) - min(times, default=0)
    if not shown:
        return None
    if rate and rate_of(times, tick, stated=rate) == rate:
        return frames / rate
    return (shown + (last or shown / (frames - 1))) * tick


def rate_of(times: Sequence[int], tick: float, *, stated: float | None = None) -> float | None:
    """Return the frames a second by the times of frames, see `total_seconds`. None where they do not tell.

    stated: the rate in the header, which is returned where the times are those of it but for the rounding to ticks.
    """
    shown = max(times, default=0) - min(times, default=0)
    if not shown:
        return None
    steps = len(times) - 1
    return stated if stated and abs(shown * tick - steps / stated) <= tick else steps / (shown * tick)


def steady_rate(times: Sequence[int], tick: float) -> float | None:
    """Return the frames a second of a file that has nothing but times, None where these are of no constant rate.

    times: the times of the frames in ticks, in their order. tick: seconds that one tick lasts.
    Delays of 3, 3 and 4 hundredths of a second are 30 frames a second, and delays of 3 alone are 33⅓: where delays
    differ, the rate is the whole number whose times are nearest to these, if rounding to ticks makes these of those.
    """
    found = rate_of(times, tick)
    if found is None or uneven(times, tick) is not None:
        return None
    ticks = np.array(times, dtype=np.int64)
    if np.ptp(np.diff(ticks)) == 0:
        return found

    def spread(rate: int) -> float:
        return float(np.ptp(ticks - np.arange(len(ticks)) / (rate * tick)))

    near = min(range(max(1, round(found) - 1), round(found) + 2), key=spread)
    return float(near) if spread(near) < _ROUNDED else found


def widest(
    one: tuple[_Number, _Number] | None, other: tuple[_Number, _Number] | None
) -> tuple[_Number, _Number] | None:
    """Return the least and the greatest value of two (least, greatest) pairs, either of which may be None."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def intervals_text(intervals: Intervals) -> str:
    """Say the shortest and the longest interval in words."""
    shortest, longest = intervals
    return f"{shortest:g} to {longest:g} ms between frames"
