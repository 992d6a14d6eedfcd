"""Arrays as videos: which axis is which, what range the values have, and how frames are cut out of them one by one.

An array of five axes holds many videos, one of four axes holds one. N counts videos, T frames, H and W are height and
width. C is 3 for RGB, 1 for grey, or 4 for RGB and alpha; grey videos may have no axis C where that is stated. Values
are uint8, or floats with a stated range, which are rounded to the nearest grey level (half to even) and clipped. The
same frames have the same content digest in whatever array they come.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ShortVideoError, SourceError, VideoError
from fvd_bench.finding import Note
from fvd_bench.videos.alpha import over_black
from fvd_bench.videos.files import file_state
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame, Pixels
from fvd_bench.words import percent

if TYPE_CHECKING:
    from torch import Tensor

ValueRange = tuple[float, float]
"""The values of black and white, such as (-1, 1)."""

_ORDERS = {5: ("NTHWC", "NCTHW", "NTCHW"), 4: ("THWC", "CTHW", "TCHW")}
"""The orders of axes that are in use, by number of axes."""

_LETTERS = [sorted(axes) for axes in ("NTHWC", "THWC", "NTHW", "THW")]

_CHANNELS = (1, 3)
_WITH_ALPHA = 4
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
                raise SourceError(
                    f"value_range = {self.value_range}: expected the values of black and white, the smaller one first, "
                    "such as (-1, 1)"
                )

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
            if channels == _WITH_ALPHA and block.dtype != np.uint8:
                raise SourceError(
                    f"{name}: {described(block)}, as {axes} with 4 channels of {block.dtype}: expected uint8 for RGB "
                    "and alpha, or 3 channels, laid over black"
                )
            if channels not in (*_CHANNELS, _WITH_ALPHA):
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


@dataclass(frozen=True, slots=True, eq=False)
class ArrayVideo:
    """One video in an array.

    name: the name of the video in messages.
    block: the array, which may hold other videos too.
    layout: the layout of the array.
    index: the place of the video along the axis N. None where there is no such axis.
    stamp: returns bytes that cost little and change when the array does. None for an array in memory, which must not
        change: its content is digested once.
    known_content: the content digest, if it was computed before. Else None.
    """

    name: str
    block: Block
    layout: KnownLayout
    index: int | None = None
    stamp: Callable[[], bytes] | None = None
    known_content: str | None = None
    _digests: list[str] = field(default_factory=list, init=False, repr=False)

    @property
    def num_frames(self) -> int:
        return self.block.shape[self.layout.axes.index("T")]

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices. Raises ShortVideoError when the video ends before them,
        VideoError."""
        if int(indices[-1]) >= self.num_frames:
            raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
        return (rgb(self.levels(index)) for index in indices.tolist())

    def content(self) -> str:
        """Return the sha256 of the frames."""
        if self.known_content:
            return self.known_content
        if not self._digests or self.stamp is not None:
            self._digests[:] = [frames_digest(self.num_frames, map(self.levels, range(self.num_frames)))]
        return self._digests[0]

    def state(self) -> str:
        """Return a digest of the array's stamp and of how the array is read. Without a stamp it is the content."""
        if self.stamp is None:
            return self.content()
        try:
            stamp = self.stamp()
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror or error}") from error
        how = repr((self.block.shape, self.layout.axes, self.layout.value_range, self.index)).encode()
        return hashlib.sha256(stamp + how).hexdigest()

    def copied(self) -> ArrayVideo:
        """Return the same video as uint8 [T, H, W, C] in memory of its own. Raises what `levels` raises."""
        frames = np.empty(self.shape, np.uint8)
        for place in range(len(frames)):
            frames[place] = self.levels(place)
        return ArrayVideo(self.name, frames, PLAIN)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its frames, [T, H, W, C]."""
        sizes = {"C": 1, **dict(zip(self.layout.axes, self.block.shape, strict=True))}
        return tuple(sizes[axis] for axis in "THWC")

    def levels(self, frame: int) -> Pixels:
        """Return one frame, uint8 [H, W, C]. Raises VideoError, and SourceError for values that are no colours."""
        axes = self.layout.axes
        fixed: dict[str, int] = {"T": frame} if self.index is None else {"T": frame, "N": self.index}
        try:
            values = self.block[tuple(fixed.get(axis, slice(None)) for axis in axes)]
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror or error}") from error
        return self.layout.levels(values, "".join(a for a in axes if a in "HWC"), f"{self.name}, frame {frame}")


def as_block(given: object) -> Block | None:
    """Return an array or tensor in a form that is read in pieces, or None if `given` is neither."""
    torch = sys.modules.get("torch")  # where torch was not imported, nothing is a tensor
    if torch is not None and isinstance(given, torch.Tensor):
        return TensorBlock(given)
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "__array__") and hasattr(given, "shape"):
        array: NDArray[Any] = np.asarray(given)
        return array
    return None


class TensorBlock:
    """A tensor that is moved to the CPU piece by piece."""

    def __init__(self, tensor: Tensor) -> None:
        import torch

        self.shape = tuple(tensor.shape)
        # NumPy has no bfloat16; float32 holds it exactly.
        self._as_is = tensor.dtype in (torch.uint8, torch.float16, torch.float32, torch.float64)
        self._tensor = tensor.detach()
        name = "float32" if tensor.dtype.is_floating_point and not self._as_is else str(tensor.dtype)
        try:
            self.dtype = np.dtype(name.removeprefix("torch."))
        except TypeError:  # quantised types, which are refused later
            self.dtype = np.dtype("object")

    def __getitem__(self, place: tuple[int | slice, ...], /) -> NDArray[Any]:
        piece = self._tensor[place].cpu()
        return (piece if self._as_is else piece.float()).numpy()


def file_stamp(path: Path, key: str) -> Callable[[], bytes]:
    """Return a stamp for the array under a key of a file, see `ArrayVideo`."""
    return lambda: file_state(path) + b"\0" + key.encode(errors="surrogateescape")


def rgb(levels: Pixels) -> Frame:
    """Make a frame of uint8 [H, W, C]. Grey becomes RGB, and what is not opaque is laid over black."""
    colours = levels[..., :3]
    used = int(colours.min()), int(colours.max())
    if levels.shape[2] == 1:
        return Frame(np.repeat(levels, 3, axis=2), levels=used)
    transparent = False
    if levels.shape[2] == _WITH_ALPHA:
        colours, transparent = over_black(colours, levels[..., 3])
    return Frame(np.ascontiguousarray(colours), levels=used, transparent=transparent)


def frames_digest(num_frames: int, frames: Iterator[Pixels]) -> str:
    """Return the sha256 of the shape and the bytes of frames in RGB, and of whether any was not opaque.

    frames: each uint8 [H, W, C].
    """
    whole = hashlib.sha256()
    transparent = False
    for number, frame in enumerate(map(rgb, frames)):
        if number == 0:
            whole.update(repr((num_frames, *frame.pixels.shape)).encode())
        whole.update(frame.pixels.data)
        transparent |= frame.transparent
    if transparent:  # features of an opaque video with the same colours do not carry this fact
        whole.update(b"transparent")
    return whole.hexdigest()


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
    for channels in (_CHANNELS, (_WITH_ALPHA,)):  # an axis of 4 is taken for channels only where no other axis can be
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
