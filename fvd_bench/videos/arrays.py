"""Arrays as videos: how frames are cut out of them one by one.

The same frames have the same content digest in whatever array they come.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ShortVideoError, VideoError, cause
from fvd_bench.videos.alpha import over_black
from fvd_bench.videos.array_layout import PLAIN, WITH_ALPHA, Block, KnownLayout
from fvd_bench.videos.files import file_state
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame, Pixels

if TYPE_CHECKING:
    from torch import Tensor


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
            raise VideoError(f"cannot be read: {cause(error)}") from error
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
            raise VideoError(f"cannot be read: {cause(error)}") from error
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
    if levels.shape[2] == WITH_ALPHA:
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
