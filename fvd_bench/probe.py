"""What a video says of itself before a frame is decoded: the header of its container, or of its first image."""

from __future__ import annotations

from dataclasses import dataclass

from fvd_bench.frame_folder import FrameFolder
from fvd_bench.video import Video
from fvd_bench.video_file import VideoFile


@dataclass(frozen=True, slots=True)
class Probe:
    """Of one video.

    codec: `h264`, `jpeg`, `png`, …, and `raw` for arrays and what is made on demand. size: (width, height) in pixels,
    None where it is not known. rate: frames a second, None for images and arrays, which have none.
    """

    codec: str
    pixel_format: str
    size: tuple[int, int] | None
    rate: float | None


def probe(video: Video) -> Probe:
    """Read a video's header, some milliseconds' work. Raises VideoError."""
    if isinstance(video, VideoFile):
        header = video.header()
        return Probe(header.codec, header.pixel_format, (header.width, header.height), header.rate)
    if isinstance(video, FrameFolder):
        with video.open(video.names[0]) as image:
            return Probe((image.format or "unknown").lower(), image.mode, image.size, None)
    return Probe("raw", "rgb24", None, None)
