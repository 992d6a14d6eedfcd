"""A video, which is a sequence of uint8 RGB frames [H, W, 3], and the clips that are read from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import VideoError
from fvd_bench.videos.frame_times import Intervals, Time, uneven, widest
from fvd_bench.videos.sampling import Indices

Pixels = NDArray[np.uint8]

MOST_CLIP_BYTES = 2**32
"""The largest clip that is held in memory. 128 frames of 3840×2160 take three quarters of it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One RGB image.

    pixels: uint8 [H, W, 3].
    jpeg_quality: the quality of the JPEG file that the frame was read from, or 0 if the file has quantisation tables of
        its own. None if the frame was not read from a JPEG file.
    damaged: whether the decoder reported errors in the frame, or lost data right before it.
    time: when the frame is shown. None where nothing says so, as for images.
    levels: the frame's lowest and highest value if it comes from an array, whose range may have been stated wrongly.
        Else None.
    transparent: whether some pixel of the frame was not opaque, and was laid over black.
    """

    pixels: Pixels
    jpeg_quality: int | None = None
    damaged: bool = False
    time: Time | None = None
    levels: tuple[int, int] | None = None
    transparent: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames of one video, all of one size.

    frames: uint8 [T, H, W, 3], RGB.
    jpeg_qualities: one quality per frame, see `Frame`.
    damaged: number of frames that are damaged.
    intervals: shortest and longest time between the frames. None where the frames are evenly spaced, or where their
        times are not known.
    levels: lowest and highest value of all frames, see `Frame`.
    transparent: number of frames that are transparent.
    """

    frames: Pixels
    jpeg_qualities: tuple[int | None, ...]
    damaged: int = 0
    intervals: Intervals | None = None
    levels: tuple[int, int] | None = None
    transparent: int = 0

    def __post_init__(self) -> None:
        assert self.frames.ndim == 4 and self.frames.shape[3] == 3 and self.frames.dtype == np.uint8
        assert len(self.jpeg_qualities) == len(self.frames)


class Video(Protocol):
    """What the pipeline needs to know of a video."""

    @property
    def num_frames(self) -> int:
        """The number of frames that decode. Raises VideoError when that cannot be told."""

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices. Raises ShortVideoError when the video ends before them,
        VideoError."""

    def content(self) -> str:
        """Return the sha256 of everything that the frames are made from."""

    def state(self) -> str:
        """Return a text that costs little and changes when the content does. A store remembers which content each state
        had.

        For files it is made of their paths, sizes, and times of change. For what is made on demand it is `content()`
        itself.
        """


def read_clips(
    video: Video, wanted: Sequence[Indices], *, reserve: Callable[[int], None] = lambda size: None
) -> Iterator[tuple[int, Clip]]:
    """Read several clips of a video in one pass over its frames.

    wanted: the frame indices of each clip, in any order.
    reserve: called with the size of each clip in bytes, before more than the clip's first frame is read.
    Yields (place in `wanted`, clip) as soon as each clip is complete. A frame is released when no clip needs it any
    more.
    Raises VideoError, also for a clip of more than `MOST_CLIP_BYTES`.
    """
    waiting = sorted(range(len(wanted)), key=lambda k: (wanted[k].max(), k))
    unbegun = sorted(wanted, key=np.min, reverse=True)
    firsts = [int(indices.min()) for indices in wanted]
    held: dict[int, Frame] = {}
    union = np.unique(np.concatenate(list(wanted)))
    for index, frame in zip(union.tolist(), video.frames(union), strict=True):
        held[index] = frame
        while unbegun and unbegun[-1].min() <= index:
            reserve(_clip_bytes(len(unbegun.pop()), frame))
        while waiting and wanted[waiting[0]].max() <= index:
            k = waiting.pop(0)
            oldest = min((firsts[k] for k in waiting), default=index + 1)
            yield k, _clip(held, wanted[k], oldest)


def _clip_bytes(frames: int, frame: Frame) -> int:
    """Return the bytes that a clip of this many frames takes if all are like this one. Raises VideoError when it is
    too much."""
    size = frames * frame.pixels.nbytes
    if size > MOST_CLIP_BYTES:
        height, width, _ = frame.pixels.shape
        raise VideoError(
            f"a clip of {frames} frames of {width}×{height} takes {size / 2**30:.3g} GiB: at most "
            f"{MOST_CLIP_BYTES / 2**30:.3g} GiB are held for one; make a smaller copy of the video"
        )
    return size


def _clip(held: dict[int, Frame], indices: Indices, oldest: int) -> Clip:
    """Make the clip of these indices from the held frames.

    Frames before `oldest` are removed from `held` one by one, so that a large clip is hardly ever in memory twice.
    """
    first = held[int(indices[0])]
    frames = [held[i] for i in indices.tolist()]
    qualities = tuple(f.jpeg_quality for f in frames)
    damaged, transparent = sum(f.damaged for f in frames), sum(f.transparent for f in frames)
    times = [f.time for f in frames if f.time is not None]
    is_timed = len(times) == len(frames)
    intervals = uneven([time.ticks for time in times], times[0].tick, indices.tolist()) if is_timed else None
    levels = functools.reduce(widest, (f.levels for f in frames))
    del frames
    pixels = np.empty((len(indices), *first.pixels.shape), dtype=np.uint8)
    for index in sorted(held):
        frame = held[index] if index >= oldest else held.pop(index)
        places = np.flatnonzero(indices == index)
        if len(places) and frame.pixels.shape != first.pixels.shape:
            (height, width, _), (other_height, other_width, _) = first.pixels.shape, frame.pixels.shape
            raise VideoError(f"frames differ in size: {width}×{height} and {other_width}×{other_height}")
        pixels[places] = frame.pixels
    return Clip(pixels, qualities, damaged, intervals, levels, transparent)
