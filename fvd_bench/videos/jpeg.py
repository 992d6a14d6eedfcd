"""The JPEG round trip of frames, by Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fvd_bench.errors import VideoError
from fvd_bench.videos.video import Pixels

_MOST_SIDE = 65500
"""Pixels of a side that libjpeg takes."""


def jpeg_round_trip(frame: Pixels, quality: int, subsampling: str) -> Pixels:
    """Encode one uint8 [H, W, 3] frame as JPEG with Pillow, and decode it again. quality: 1 to 100.

    Raises VideoError for a frame that is larger than JPEG allows.
    """
    height, width, _ = frame.shape
    if max(height, width) > _MOST_SIDE:
        raise VideoError(
            f"a frame of {width}×{height} cannot be coded as JPEG, which has at most {_MOST_SIDE} pixels a side: make "
            "a smaller copy of the video"
        )
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.array(Image.open(file, formats=("JPEG",)))
