"""The header of a video, whatever form the video has."""

from __future__ import annotations

from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.header import RAW, Probe
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Video


def probe(video: Video) -> Probe:
    """Read the header of a video's container, or of its first image. Raises VideoError, DecoderError."""
    if isinstance(video, VideoFile | FrameFolder):
        return video.probe()
    return Probe(RAW, "rgb24", None, None)
