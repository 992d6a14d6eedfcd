"""All frames of a video, in one pass wherever that can be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fvd_bench.errors import ShortVideoError
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.header import Track
from fvd_bench.videos.video import Frame, Video


def all_frames(video: Video, track: Track | None = None) -> Iterator[Frame]:
    """Yield all frames of a video that decode, one after the other. Raises VideoError.

    The container of a file tells about how many there are. What it says is only a hint, since the length of a video is
    the number of frames that decode. track: what the container says, where that was read already.
    """
    if track is None and isinstance(video, VideoFile):
        track = video.track()
    asked = track.packets + 1 if track and track.packets else video.num_frames  # one more than there should be
    if not asked:
        return
    given = 0
    try:
        for frame in video.frames(np.arange(asked)):
            given += 1
            yield frame
    except ShortVideoError as error:
        if not given and error.found:  # the video knew its length before it read a frame
            yield from video.frames(np.arange(error.found))
        return
    if given < video.num_frames:  # there are more frames than packets
        yield from video.frames(np.arange(given, video.num_frames))
