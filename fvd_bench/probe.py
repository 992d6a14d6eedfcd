"""What a video says of itself before a frame is decoded: the header of its container, or of its first image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import VideoError
from fvd_bench.frame_folder import FrameFolder
from fvd_bench.video import Video
from fvd_bench.video_file import VideoFile

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

_JITTER = 0.10
"""Part of an interval by which others may differ at a constant rate: cameras jitter by less, a frame that was dropped
doubles an interval, and 24 frames a second told as 30 change it by a quarter."""

_FRAMES_OF_PACKETS = frozenset("h264 hevc av1 vp9 mjpeg ffv1 mpeg1video mpeg2video gif rawvideo png".split())
"""Codecs of which each packet gives a frame: VP8 and MPEG-4 have packets that show none."""


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


@dataclass(frozen=True, slots=True)
class Track:
    """What the container of a video file promises.

    packets: in the file, those left out that are not to be shown. frames: the most that header or packets promise,
    0 where they promise none. missing_seconds: by which the packets end before the length that the header promises,
    0 where it promises none. intervals: shortest and longest time between frames in milliseconds where they are not
    those of a constant rate, else None.
    """

    packets: int
    frames: int
    missing_seconds: float
    intervals: tuple[float, float] | None


def probe(video: Video) -> Probe:
    """Read a video's header, some milliseconds' work. Raises VideoError."""
    if isinstance(video, VideoFile):
        with _opened(video) as (_, stream):
            context = stream.codec_context
            rate = stream.average_rate or stream.guessed_rate
            size = (context.width, context.height)
            name = context.codec.canonical_name
            return Probe(name, context.pix_fmt or "unknown", size, float(rate) if rate else None)
    if isinstance(video, FrameFolder):
        with video.open(video.names[0]) as image:
            return Probe((image.format or "unknown").lower(), image.mode, image.size, None)
    return Probe("raw", "rgb24", None, None)


def read_track(video: VideoFile) -> Track:
    """Read all packets of a video file without decoding them. Raises VideoError."""
    import av

    with _opened(video) as (container, stream):
        packets = hidden = 0
        times: list[int | None] = []
        end = 0.0
        with contextlib.suppress(av.error.InvalidDataError):  # a container that breaks off: it ends there
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                hidden += packet.is_discard
                packets += not packet.is_discard
                times.append(packet.pts)
                if packet.pts is not None and stream.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * stream.time_base))
        counts = stream.codec_context.codec.canonical_name in _FRAMES_OF_PACKETS and container.format.name != "mpegts"
        promised = max(stream.frames - hidden, packets if counts else 0, 0)
        return Track(packets, promised, _missing_seconds(container, stream, end), _intervals(times, stream))


def _missing_seconds(container: InputContainer, stream: av.VideoStream, end: float) -> float:
    """Only containers that hold nothing but the video and tell their length in a header promise one for it."""
    if container.duration is None or not end or len(container.streams) > 1 or container.format.name in _GUESSED:
        return 0.0
    start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    return max(0.0, container.duration / 1e6 - (end - start))


_GUESSED = ("mpegts", "mpeg", "gif")
"""Formats of which FFmpeg finds the length from the packets that there are."""


def _intervals(times: list[int | None], stream: av.VideoStream) -> tuple[float, float] | None:
    if None in times or len(times) < 3 or not stream.time_base:
        return None
    ordered: NDArray[np.int64] = np.sort(np.array(times, dtype=np.int64))
    steps = np.diff(ordered)
    usual = float(np.median(steps))
    rounding = 1 if usual > 2 else 0  # of times to ticks of the container, such as milliseconds
    if np.abs(steps - usual).max() <= _JITTER * usual + rounding:
        return None
    milliseconds = 1000 * float(stream.time_base)
    return round(int(steps.min()) * milliseconds, 3), round(int(steps.max()) * milliseconds, 3)


@contextlib.contextmanager
def _opened(video: VideoFile) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """A container and its video, opened as for decoding. Raises VideoError."""
    try:
        import av
    except ImportError as error:
        raise VideoError("cannot be decoded: video files need PyAV, the package av") from error
    try:
        source = video.files.source(video.path)
        options = {} if isinstance(source, str) else {"protocol_whitelist": "none"}
        with av.open(source, "r", options=options, metadata_errors="ignore") as container:
            stream = cast("av.VideoStream | None", container.streams.best("video"))
            if stream is None:
                raise VideoError("holds no video stream")
            yield container, stream
    except av.error.FFmpegError as error:
        raise VideoError(f"cannot be decoded: {error.strerror or error}") from error
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror or error}") from error
