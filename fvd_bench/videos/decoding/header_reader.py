"""The header of a video file and what its packets promise, read by FFmpeg; used in the decoding process only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
from av.stream import Disposition

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding.video_frame import Decoded, orientation
from fvd_bench.videos.header import HLG, MOST_PACKETS, PQ, SDR, Probe, Track
from fvd_bench.videos.intervals import Intervals, uneven
from fvd_bench.videos.orientation import UPRIGHT

if TYPE_CHECKING:
    from fvd_bench.videos.decoding.stream import VideoStream

_INTERLACED = (2, 3, 4, 5)
"""FFmpeg's AVFieldOrder, in which 0 is unknown and 1 progressive."""

_HDR = {16: PQ, 18: HLG}
"""FFmpeg's AVColorTransferCharacteristic: SMPTE ST 2084 and ARIB STD-B67."""

_FRAMES_OF_PACKETS = frozenset("h264 hevc av1 vp9 mjpeg ffv1 mpeg1video mpeg2video gif rawvideo png".split())
"""Codecs of which each packet gives a frame: VP8 and MPEG-4 have packets that show none."""

_GUESSED = ("mpegts", "mpeg", "gif")
"""Formats of which FFmpeg finds the length from the packets that there are."""


def read_probe(video: VideoStream) -> Probe:
    """What the header says, and how the first frame is to be turned. Raises VideoError."""
    stream = video.stream
    context = stream.codec_context
    rate = stream.average_rate or stream.guessed_rate
    first = _first_frame(video)
    turned = orientation(first.image) if first else UPRIGHT
    size = turned.size(context.width, context.height) if context.width and context.height else None
    aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio
    return Probe(
        codec=context.codec.canonical_name,
        pixel_format=context.pix_fmt or "unknown",
        size=size,
        rate=float(rate) if rate else None,
        pixel_aspect=(aspect.numerator, aspect.denominator) if aspect and aspect != 1 else None,
        is_interlaced=_is_interlaced(video, first),
        transfer=_HDR.get(int(context.color_trc), SDR),
        stream=_place(video),
        is_mirrored=turned.is_mirrored,
    )


def _first_frame(video: VideoStream) -> Decoded | None:
    """None where none decodes, which is told when the video is used."""
    try:
        return next(video.frames(), None)
    except VideoError:
        return None


def _is_interlaced(video: VideoStream, first: Decoded | None) -> bool:
    """As the header says, or the first frame where PyAV does not tell what the header says: before version 18."""
    order = getattr(video.stream.codec_context, "field_order", None)
    if order is not None:
        return order in _INTERLACED
    return first is not None and bool(first.image.interlaced_frame)


def _place(video: VideoStream) -> tuple[int, int]:
    """The number of the stream that is read among those of videos, from 1, and how many there are."""
    others = [
        stream.index
        for stream in video.container.streams.video
        if stream.index != video.stream.index and not stream.disposition & Disposition.attached_pic
    ]
    return 1 + sum(index < video.stream.index for index in others), 1 + len(others)


def read_track(video: VideoStream) -> Track:
    """Read all packets without decoding them. Raises VideoError."""
    stream, container = video.stream, video.container
    packets = hidden = 0
    times: list[int | None] = []
    end = 0.0
    for packet in video.packets():
        if not packet.size:
            continue
        hidden += packet.is_discard
        packets += not packet.is_discard
        times.append(packet.pts)
        if len(times) > MOST_PACKETS:
            raise VideoError(f"holds more than {MOST_PACKETS:,} packets: cut it into shorter videos")
        if packet.pts is not None and stream.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * stream.time_base))
    counts = stream.codec_context.codec.canonical_name in _FRAMES_OF_PACKETS and container.format.name != "mpegts"
    promised = max(stream.frames - hidden, packets if counts else 0, 0)
    return Track(packets, promised, _missing_seconds(video, end), _intervals(times, stream))


def _missing_seconds(video: VideoStream, end: float) -> float:
    """Only containers that hold nothing but the video and tell their length in a header promise one for it."""
    container, stream = video.container, video.stream
    if container.duration is None or not end or len(container.streams) > 1 or container.format.name in _GUESSED:
        return 0.0
    start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    return max(0.0, container.duration / 1e6 - (end - start))


def _intervals(times: list[int | None], stream: av.VideoStream) -> Intervals | None:
    known = [time for time in times if time is not None]
    return uneven(known, float(stream.time_base)) if stream.time_base and len(known) == len(times) else None
