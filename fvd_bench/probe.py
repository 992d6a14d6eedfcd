"""What a video of any form says of itself before a frame is decoded."""

from __future__ import annotations

from fvd_bench.frame_folder import FrameFolder
from fvd_bench.header import Probe
from fvd_bench.video import Video
from fvd_bench.video_file import VideoFile


def probe(video: Video) -> Probe:
    """Read a video's header: that of its container, or of its first image. Raises VideoError, DecoderError."""
    if isinstance(video, VideoFile | FrameFolder):
        return video.probe()
    return Probe("raw", "rgb24", None, None)
