"""A video: uint8 RGB frames [H, W, 3] in order, and the clips that are read from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import VideoError
from fvd_bench.sampling import Indices

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One RGB image.

    pixels: uint8 [H, W, 3].
    jpeg_quality: None unless it was read from a JPEG file; then its quality, or 0 for tables of its own.
    damaged: whether the decoder reported errors in it or lost data right before it.
    """

    pixels: Pixels
    jpeg_quality: int | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames of one video, of one size.

    frames: uint8 [T, H, W, 3] RGB. jpeg_qualities: one per frame, see `Frame`; damaged: number of such frames.
    """

    frames: Pixels
    jpeg_qualities: tuple[int | None, ...]
    damaged: int = 0

    def __post_init__(self) -> None:
        assert self.frames.ndim == 4 and self.frames.shape[3] == 3 and self.frames.dtype == np.uint8
        assert len(self.jpeg_qualities) == len(self.frames)


class Video(Protocol):
    """What the pipeline needs to know of a video."""

    @property
    def num_frames(self) -> int:
        """Frames that decode. Raises VideoError when that cannot be told."""

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """The frames of ascending, distinct indices. Raises ShortVideoError when they run out, VideoError."""

    def content(self) -> str:
        """sha256 of everything that the frames are made from."""

    def state(self) -> str:
        """Cheap text that changes when the content does; a store remembers for good which content had it.

        Of files: their places, sizes, and times of change. Of what is made on demand: `content()` itself.
        """


def read_clips(video: Video, wanted: Sequence[Indices]) -> Iterator[tuple[int, Clip]]:
    """Read several clips of a video in one pass over its frames.

    wanted: the frame indices of each clip, in any order.
    Yields (place in `wanted`, clip) as soon as each clip is complete; frames are let go when no clip needs
    them any more. Raises VideoError.
    """
    waiting = sorted(range(len(wanted)), key=lambda k: (wanted[k].max(), k))
    held: dict[int, Frame] = {}
    union = np.unique(np.concatenate(list(wanted)))
    for index, frame in zip(union.tolist(), video.frames(union), strict=True):
        held[index] = frame
        while waiting and wanted[waiting[0]].max() <= index:
            k = waiting.pop(0)
            yield k, _clip([held[i] for i in wanted[k].tolist()])
            oldest = min((wanted[k].min() for k in waiting), default=index + 1)
            held = {i: f for i, f in held.items() if i >= oldest}


def _clip(frames: Sequence[Frame]) -> Clip:
    height, width, _ = frames[0].pixels.shape
    for frame in frames:
        if frame.pixels.shape != frames[0].pixels.shape:
            other_height, other_width, _ = frame.pixels.shape
            raise VideoError(f"frames differ in size: {width}×{height} and {other_width}×{other_height}")
    pixels = np.stack([f.pixels for f in frames])
    return Clip(pixels, tuple(f.jpeg_quality for f in frames), sum(f.damaged for f in frames))
