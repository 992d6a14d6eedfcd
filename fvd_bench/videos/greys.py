"""The first frames of a video, small and grey: what is needed to see how it moves."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fvd_bench.videos.video import Frame, Video

SIDE = 32
"""Width and height of a grey frame, in pixels. Areas are averaged, which removes most of the coding noise."""

Greys = NDArray[np.float32]
"""Grey frames [T, 32, 32], in levels of 0 to 255."""


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
    """Return ITU-R 601 luma [32, 32], not rounded, averaged over areas."""
    from PIL import Image

    height, width, _ = frame.pixels.shape
    pixels = np.ascontiguousarray(frame.pixels)
    image = Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)
    return np.asarray(image.convert("F").resize((SIDE, SIDE), Image.Resampling.BOX))


def stacked(greys: list[Greys]) -> Greys:
    """Return small grey frames as one array, [T, SIDE, SIDE]; T may be 0."""
    return np.stack(greys) if greys else np.zeros((0, SIDE, SIDE), np.float32)
