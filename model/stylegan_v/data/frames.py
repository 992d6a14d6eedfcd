"""All frames of a video, whose number nobody knows beforehand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fvd_bench.errors import ShortVideoError
from fvd_bench.videos.video import Frame, Video

_FIRST_READ = 1 << 14
"""Number of frames that are asked for at first. A longer video is read again from its beginning, for frames up to eight
times that number, and so on."""


def every_frame(video: Video, begin: int = 0) -> Iterator[Frame]:
    """Yield the frames of a video from a place on, in one pass, without knowing their number. Raises VideoError."""
    end = begin + _FIRST_READ
    while True:
        try:
            for frame in video.frames(np.arange(begin, end)):
                yield frame
                begin += 1
            end *= 8
        except ShortVideoError as short:  # by then a file has given all its frames, a folder none
            if begin >= short.found:
                return
            end = short.found
