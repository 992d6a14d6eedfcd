"""The layout of arrays: which axis is which, and what range the values have.

An array of five axes holds many videos, one of four axes holds one. N counts videos, T frames, H and W are height and
width. C is 3 for RGB, 1 for grey, or 4 for RGB and alpha; grey videos may have no axis C where that is stated. Values
are uint8, or floats with a stated range, which are rounded to the nearest grey level (half to even) and clipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError
from fvd_bench.finding import Note
from fvd_bench.videos.video import Pixels
from fvd_bench.words import percent

ValueRange = tuple[float, float]
"""The values of black and white, such as (-1, 1)."""

_ORDERS = {5: ("NTHWC", "NCTHW", "NTCHW"), 4: ("THWC", "CTHW", "TCHW")}
"""The orders of axes that are in use, by number of axes."""

_LETTERS = [sorted(axes) for axes in ("NTHWC", "THWC", "NTHW", "THW")]

_CHANNELS = (1, 3)
WITH_ALPHA = 4
"""Allowed for uint8 alone: the range of floats says what black and white are, but nothing about alpha."""

_MUCH_CLIPPED = 0.05


class Block(Protocol):
    """An array that is read in pieces: of NumPy, in a file, or on a GPU. Several threads read at once."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, place: tuple[int | slice, ...], /) -> NDArray[Any]:
        """Read a piece of the array. Raises OSError when it cannot be read."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be known about an array besides its values. Raises SourceError for values that make no sense.

    axes: one letter per axis, such as NTHWC. None to take the only order that fits the shape.
    value_range: the values of black and white for floats. None for uint8, which needs none.
    """

    axes: str | None = None
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        if self.axes is not None and sorted(self.axes) not in _LETTERS:
            raise SourceError(
                f"axes = {self.axes!r}: expected an order of the letters NTHWC, without N for one video, without C for "
                "grey videos that have no axis of channels"
            )
        if self.value_range is not None:
            low, high = self.value_range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise SourceError(f"value_range = {self.value_range}: expected the values of black and white, (-1, 1)")

    @property
    def many(self) -> int | None:
        """The number of axes of an array of many videos. None if the stated axes are those of one video."""
        return 5 if self.axes is None else len(self.axes) if "N" in self.axes else None

    @property
    def single(self) -> int | None:
        """The number of axes of an array of one video. None if the stated axes are those of many videos."""
        return 4 if self.axes is None else len(self.axes) if "N" not in self.axes else None

    def of(self, name: str, blocks: Sequence[Block]) -> KnownLayout:
        """Return the layout that all arrays share, inferred where it is not stated. Raises SourceError.

        name: what holds the arrays, for messages.
        """
        assert blocks
        first = blocks[0]
        axes = self.axes or _inferred(name, blocks)
        for block in blocks:
            if len(block.shape) != len(axes):
                raise SourceError(f"{name}: {described(block)}: expected {len(axes)} axes, {axes}")
            if block.dtype != first.dtype:
                raise SourceError(f"{name}: some arrays are {first.dtype}, some {block.dtype}: expected one type")
            channels = block.shape[axes.index("C")] if "C" in axes else 1
            if channels == WITH_ALPHA and block.dtype != np.uint8:
                raise SourceError(
                    f"{name}: {described(block)}, as {axes} with 4 channels of {block.dtype}: expected uint8 for RGB "
                    "and alpha, or 3 channels, laid over black"
                )
            if channels not in (*_CHANNELS, WITH_ALPHA):
                raise SourceError(
                    f"{name}: {described(block)}, as {axes} with {channels} channels: expected 3 (RGB), 1 (grey), or "
                    "4 (RGB and alpha); state other axes if these are not channels"
                )
            if 0 in (block.shape[axes.index("H")], block.shape[axes.index("W")]):
                raise SourceError(f"{name}: {described(block)}: expected frames of at least one pixel")
        _check_values(name, first, self.value_range)
        is_float = first.dtype.kind == "f"
        return KnownLayout(axes, self.value_range if is_float else None, is_inferred=self.axes is None)


@dataclass(frozen=True, slots=True)
class KnownLayout:
    """The layout of arrays, with nothing left to infer.

    axes: one letter per axis.
    value_range: the values of black and white for floats. None for uint8.
    is_inferred: whether the axes were inferred from the shape.
    """

    axes: str
    value_range: ValueRange | None
    is_inferred: bool

    def notes(self, name: str, block: Block) -> tuple[str, ...]:
        """Return sentences that say what was inferred, and warn of a range that is hardly meant.

        name: what holds the array. block: an array in this layout.
        """
        notes: list[str] = []
        if self.is_inferred:
            fits = f"the only order that fits the shape {list(block.shape)}"
            notes.append(f"{name}: its axes are taken for {self.axes}, {fits}")
        if self.value_range is not None and 0 not in block.shape:
            low, high = self.value_range
            frames = block.shape[self.axes.index("T")]
            values = np.concatenate(
                [
                    np.ravel(block[tuple({"N": 0, "T": frame}.get(axis, slice(None)) for axis in self.axes)])
                    for frame in sorted({0, frames // 2, frames - 1})  # a first frame is often black
                ]
            )
            slack = (high - low) / 255  # networks overshoot a little
            outside = float(np.mean((values < low - slack) | (values > high + slack)))
            if outside > _MUCH_CLIPPED:
                sentence = (
                    f"{name}: {percent(outside)} of the values in frames of its first video, which go from "
                    f"{values.min():.4g} to {values.max():.4g}, lie outside of the stated range, {low:g} to {high:g}, "
                    "and are clipped"
                )
                notes.append(Note(sentence, "clipped-range"))
        return tuple(notes)

    def levels(self, frame: NDArray[Any], axes: str, where: str) -> Pixels:
        """Return a frame as uint8 [H, W, C]. Raises SourceError for values that are not finite.

        axes: those of the frame, an order of HWC or HW. where: the name of the frame in messages.
        """
        values = frame.transpose([axes.index(axis) for axis in "HWC" if axis in axes])
        values = values if "C" in axes else values[..., np.newaxis]
        if self.value_range is not None:
            if not np.isfinite(values).all():
                raise SourceError(
                    f"{where} has values that are not finite (NaN or infinity): expected numbers; mend what made it, "
                    "or leave the video out"
                )
            low, high = self.value_range
            levels = (values.astype(np.float64) - low) * (255 / (high - low))
            values = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(values)


PLAIN = KnownLayout("THWC", None, is_inferred=False)
"""The layout of frames that are uint8 already."""


def fitting_orders(shape: Sequence[int], channels: tuple[int, ...] = _CHANNELS) -> tuple[str, ...]:
    """Return the orders of axes in use that a shape may have."""
    return tuple(o for o in _ORDERS.get(len(shape), ()) if shape[o.index("C")] in channels)


def _inferred(name: str, blocks: Sequence[Block]) -> str:
    for block in blocks:
        if len(block.shape) not in _ORDERS:
            raise SourceError(
                f"{name}: {described(block)}: expected five axes (many videos) or four (one video), such as NTHWC; of "
                f"grey videos without an axis of channels state NTHW or THW, {WITH_AXES}"
            )
    fitting: list[str] = []
    for channels in (_CHANNELS, (WITH_ALPHA,)):  # an axis of 4 is taken for channels only where no other axis can be
        some = fitting_orders(blocks[0].shape, channels)
        fitting = fitting or [o for o in some if all(o in fitting_orders(b.shape, channels) for b in blocks)]
    if len(fitting) == 1:
        return fitting[0]
    orders = " or ".join(fitting) if fitting else "no order of axes in use, with 3 channels (RGB), 1 (grey) or 4"
    usual = _ORDERS[len(blocks[0].shape)][0]
    raise SourceError(
        f"{name}: {described(blocks[0])} fits {orders}: state its axes, such as {usual}, or NTHW for grey videos "
        f"without an axis of channels, {WITH_AXES}"
    )


WITH_AXES = "with fvd_bench.Arrays(…, axes=…)"
WITH_RANGE = "with fvd_bench.Arrays(…, value_range=(-1, 1))"
"""How axes and a range are stated in Python. On the command line, each command puts its own options in their place."""


def _check_values(name: str, block: Block, value_range: ValueRange | None) -> None:
    if block.dtype.kind == "f":
        if value_range is None:
            raise SourceError(
                f"{name} has values of type {block.dtype}: state what black and white are, such as -1 and 1, "
                f"{WITH_RANGE}"
            )
    elif block.dtype != np.uint8:
        raise SourceError(f"{name} has values of type {block.dtype}: expected uint8, or floats with a stated range")
    elif value_range not in (None, (0, 255)):
        raise SourceError(f"{name} has values of type uint8, which go from 0 to 255: state no other range for them")


def described(block: Block) -> str:
    """Describe an array in words, by its shape."""
    return f"an array of shape {list(block.shape)}"
