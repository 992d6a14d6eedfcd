"""The first frames of a video, small and grey: what is needed to see how it moves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fvd_bench.videos.video import Frame, Video

SIDE = 32
"""Width and height of a grey frame, in pixels. Areas are averaged, which removes most of the coding noise."""

Greys = NDArray[np.float32]
"""Grey frames [T, 32, 32], in levels of 0 to 255."""

_LUMA = (299, 587, 114)
"""Thousandths of red, green and blue in luma."""

_MOST_NARROW = 256 * SIDE
"""The largest height of a frame whose levels, summed over the lines of an area, fit in 16 bits."""


@runtime_checkable
class GreyElsewhere(Protocol):
    """A video whose frames are made small and grey where they are decoded, so that no large ones are handed over."""

    def first_greys(self, most: int) -> Greys:
        """Return the first frames that decode, at most so many. Raises VideoError."""


def first_greys(video: Video, most: int) -> Greys:
    """Return the first frames of a video, at most so many. Raises VideoError."""
    if isinstance(video, GreyElsewhere):
        return video.first_greys(most)
    return stacked([small_grey(frame) for frame in video.frames(np.arange(min(most, video.num_frames)))])


def small_grey(frame: Frame) -> Greys:
    """Return ITU-R 601 luma [32, 32], not rounded, averaged over areas.

    All sums are whole numbers, so that they are exact in any order.
    """
    height, width, _ = frame.pixels.shape
    rows, columns = _areas(height), _areas(width)
    sums = _line_sums(frame.pixels.reshape(height, 3 * width), rows)
    return np.asarray(sums @ _luma(width) / (1000 * np.outer(_pixels(rows), _pixels(columns))), np.float32)


def _line_sums(lines: NDArray[np.uint8], areas: Sequence[tuple[int, int]]) -> NDArray[np.unsignedinteger[Any]]:
    """Return the sums of the lines of each area, [32, N]. lines: [H, N]."""
    height, width = lines.shape
    dtype = np.uint16 if height <= _MOST_NARROW else np.uint32
    sums = np.empty((SIDE, width), dtype)
    if height % SIDE == 0:
        np.add.reduce(lines.reshape(SIDE, height // SIDE, width), axis=1, dtype=dtype, out=sums)
        return sums
    for place, (first, end) in enumerate(areas):
        np.add.reduce(lines[first:end], axis=0, dtype=dtype, out=sums[place])
    return sums


@lru_cache(8)
def _areas(size: int) -> list[tuple[int, int]]:
    """Return the first pixel of each area along an axis, and the one after its last: those of Pillow's box filter.

    Areas are of whole pixels, by their centres. Where there are fewer pixels than areas, each area has the nearest one.
    """
    if size < SIDE:
        return [(place, place + 1) for place in ((2 * area + 1) * size // (2 * SIDE) for area in range(SIDE))]
    return list(itertools.pairwise((2 * area * size + SIDE) // (2 * SIDE) for area in range(SIDE + 1)))


@lru_cache(8)
def _luma(width: int) -> NDArray[np.float64]:
    """Return the matrix [3 * width, 32] that sums up luma over the areas of a row of pixels, in thousandths."""
    sums = np.zeros((width, 3, SIDE))
    for place, (first, end) in enumerate(_areas(width)):
        sums[first:end, :, place] = _LUMA
    return sums.reshape(3 * width, SIDE)


def _pixels(areas: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array([end - first for first, end in areas])


def stacked(greys: list[Greys]) -> Greys:
    """Return small grey frames as one array, [T, SIDE, SIDE]; T may be 0."""
    return np.stack(greys) if greys else np.zeros((0, SIDE, SIDE), np.float32)
