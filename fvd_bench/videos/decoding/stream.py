"""The video stream of a file: its header, what its packets promise, and its frames one by one.

FFmpeg decodes on one thread. Only the decoding process uses this module.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.stream import Disposition

from fvd_bench.errors import VideoError, cause
from fvd_bench.videos.decoding.index import FrameIndex
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.meter import Meter
from fvd_bench.videos.decoding.video_frame import Decoded, checksum, orientation
from fvd_bench.videos.frame_times import rate_of, steady_rate, total_seconds, uneven
from fvd_bench.videos.header import HLG, MOST_PACKETS, PQ, SDR, Probe, Track
from fvd_bench.videos.orientation import UPRIGHT

_CONTAINERS = {
    "avi": "AVI",
    "asf": "WMV",
    "flv": "FLV",
    "gif": "GIF",
    "matroska": "Matroska and WebM",
    "mov": "MP4 and MOV",
    "mpeg": "MPEG",
    "mpegts": "MPEG-TS",
    "ogg": "Ogg",
    "mpegvideo": "bare MPEG video",
    "m4v": "bare MPEG-4",
    "h264": "bare H.264",
    "hevc": "bare H.265",
}
"""FFmpeg's names of the containers that are read, and their usual names. FFmpeg knows some three hundred more, among
them playlists and lists of other files, sequences of images, and devices."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders for streams with alpha, by codec. FFmpeg's own decoders drop the alpha plane, which WebM holds beside the
frames."""

_TEXT_BYTES = 256
_PRINTABLE = frozenset(b"\t\n\r") | frozenset(range(0x20, 0x7F))

_SEEK_FROM = 8
"""Frames that seeking must save to be worth it: it costs about as much as decoding a few."""

_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
"""Tags of a file need not be UTF-8. PyAV 17 and 18 refuse such files unless they are told not to, 19 never does."""


_INTERLACED = (2, 3, 4, 5)
"""Values of FFmpeg's AVFieldOrder, in which 0 is unknown and 1 progressive."""

_HDR = {16: PQ, 18: HLG}
"""Values of FFmpeg's AVColorTransferCharacteristic: SMPTE ST 2084 and ARIB STD-B67."""

_FRAMES_OF_PACKETS = frozenset("h264 hevc av1 vp9 mjpeg ffv1 mpeg1video mpeg2video gif rawvideo png".split())
"""Codecs in which each packet gives a frame. VP8 and MPEG-4 have packets that show none."""

_GUESSED = ("mpegts", "mpeg", "gif")
"""Formats whose length FFmpeg works out from the packets that are there."""


class VideoStream:
    """A stream that is open for decoding, and its container.

    decoder: the decoder of its packets, where FFmpeg's first choice is not the right one. Else None.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        meter: Meter,
        decoder: av.VideoCodecContext | None,
    ) -> None:
        self.container = container
        self.stream = stream
        self._meter = meter
        self._decoder = decoder

    def probe(self) -> Probe:
        """Read the header, and the first frame for its display matrix, which takes some milliseconds. Raises
        VideoError."""
        return _read_probe(self)

    def track(self) -> Track:
        """Read what the packets promise, all of them and without decoding. Raises VideoError."""
        return _read_track(self)

    def packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield all packets undecoded, up to where the container ends or breaks off. Raises VideoError."""
        try:
            for packet in self.container.demux(self.stream):
                self._meter.packet_done()
                yield packet
        except av.error.InvalidDataError:
            return
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise _undecodable(error) from error

    def frames(self) -> Iterator[Decoded]:
        """Yield all frames that decode from the stream's current position on, in order of presentation. Raises
        VideoError."""
        lost = False
        any_decoded = False
        try:
            for packet in self.container.demux(self.stream):
                self._meter.packet_done()
                try:
                    for frame in self._decoder.decode(packet) if self._decoder else packet.decode():
                        any_decoded = True
                        self._meter.decoded += 1
                        yield Decoded(frame, lost or frame.is_corrupt)
                        lost = False
                except av.error.InvalidDataError:
                    lost = True
        except av.error.InvalidDataError as error:
            if not any_decoded:
                raise _undecodable(error) from error
            # Else the container breaks off here, and the frames before this place are good.
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise _undecodable(error) from error

    def sought(self, places: Sequence[int], index: FrameIndex) -> Iterator[Decoded]:
        """Yield the frames at these ascending places, seeking where that saves decoding.

        Stops before the first frame that is not exactly the one in the index.
        """
        frames, position = self.frames(), 0
        try:
            for place in places:
                if place >= len(index):
                    return
                wanted = index[place]
                for keyframe in _ways(index, place, position):
                    if keyframe is not None:
                        self.container.seek(index[keyframe].time, stream=self.stream)
                        if self._decoder:
                            self._decoder.flush_buffers()
                        frames = self.frames()
                    later = (f.image for f in frames if f.image.pts is not None and f.image.pts >= wanted.time)
                    found = next(later, None)
                    if found is not None and found.pts == wanted.time and checksum(found) == wanted.checksum:
                        yield Decoded(found, wanted.damaged)
                        break
                else:
                    return
                position = place + 1
        except (VideoError, av.error.FFmpegError) as error:
            if isinstance(error, MemoryError):
                raise


@contextmanager
def open_stream(source: str | io.BytesIO, limits: Limits, meter: Meter) -> Iterator[VideoStream]:
    """Open the stream that FFmpeg takes for the best video stream, see docs/decoding.md.

    Raises VideoError, also for frames above the limit.
    """
    # Nothing in a file may lead FFmpeg to other files, or to the network.
    protocols = "file" if isinstance(source, str) else "none"
    options = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": protocols}
    try:
        container = av.open(source, "r", options=options, **_ANY_TAGS)
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError as error:
        if _is_text(source):
            raise VideoError(
                "cannot be decoded: it is a text; lists and playlists of other files are not followed, so put the "
                "videos themselves in its place"
            ) from error
        raise _undecodable(error) from error
    with container:
        stream = cast("av.VideoStream | None", container.streams.best("video"))
        if stream is None:
            raise VideoError("holds no video stream")
        context = cast("av.VideoCodecContext | None", stream.codec_context)
        if context is None:  # FFmpeg knows no decoder for it
            raise VideoError("holds no video stream that can be decoded")
        if context.width * context.height > limits.pixels:
            raise VideoError(
                f"frames are {context.width}×{context.height}: at most {limits.pixels:,} pixels are decoded; if the "
                "video really is that large, make a smaller copy"
            )
        decoder = _alpha_decoder(stream, context)
        for each in (context, decoder) if decoder else (context,):
            each.thread_type = "NONE"
            each.options = {"max_pixels": str(limits.pixels)}  # holds where the size changes in the middle, too
        yield VideoStream(container, stream, meter, decoder)


def _alpha_decoder(stream: av.VideoStream, context: av.VideoCodecContext) -> av.VideoCodecContext | None:
    """Return a decoder for the alpha plane that a stream says it has, where its own decoder drops it. Raises
    VideoError."""
    name = _ALPHA_DECODERS.get(context.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return None
    try:
        decoder = cast("av.VideoCodecContext", av.CodecContext.create(name, "r"))
    except av.error.FFmpegError as error:
        raise VideoError(f"has an alpha plane, and this FFmpeg has no {name} to decode it: leave alpha out") from error
    for tag in ("color_range", "colorspace", "color_primaries", "color_trc"):
        setattr(decoder, tag, getattr(context, tag))
    return decoder


def _is_text(source: str | io.BytesIO) -> bool:
    """Return whether a file begins with nothing but text."""
    if isinstance(source, str):
        with Path(source).open("rb") as file:
            start = file.read(_TEXT_BYTES)
    else:
        start = source.getvalue()[:_TEXT_BYTES]
    return bool(start) and all(byte in _PRINTABLE for byte in start)


def _ways(index: FrameIndex, place: int, position: int) -> tuple[int | None, ...]:
    """Return the keyframes to seek in turn for the frame at a place. None among them means to go on decoding.

    position: the place of the frame that is decoded next.
    """
    keyframe = index.keyframe(place)
    if keyframe - position < _SEEK_FROM:
        return (None,)
    # Seeking in MPEG streams may end after the time that is sought, so an earlier keyframe is worth a try.
    return keyframe, index.keyframe(keyframe - 1)


def _undecodable(error: av.error.FFmpegError) -> VideoError:
    what = cause(error)
    if isinstance(error, av.error.ArgumentError):
        known = ", ".join(_CONTAINERS.values())
        what += (
            ", which a header with an impossible frame size gives, and what is none of the formats that are read "
            f"({known}); make the file again, or leave it out"
        )
    return VideoError(f"cannot be decoded: {what}")


def _read_probe(video: VideoStream) -> Probe:
    """Read the header, and how the first frame is to be turned. Raises VideoError."""
    stream = video.stream
    context = stream.codec_context
    rate: float | Fraction | None = stream.average_rate or stream.guessed_rate
    first = _first_frame(video)
    if first and video.container.format.name == "gif":
        rate = _rate_of_delays(video, first) or rate
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


def _rate_of_delays(video: VideoStream, first: Decoded) -> float | None:
    """Return the rate of a GIF, whose header has none: FFmpeg takes the delay of the first frame for that of all.

    None where it is not constant. All packets behind the first frame are read. Raises VideoError.
    """
    times = [first.image.pts, *(packet.pts for packet in video.packets() if packet.size)]
    known, tick = [time for time in times if time is not None], video.stream.time_base
    return steady_rate(known, float(tick)) if tick and len(known) == len(times) else None


def _first_frame(video: VideoStream) -> Decoded | None:
    """Return the first frame, or None if none decodes. That is an error only when the video is used."""
    try:
        return next(video.frames(), None)
    except VideoError:
        return None


def _is_interlaced(video: VideoStream, first: Decoded | None) -> bool:
    """Return whether the header says so. PyAV before version 18 does not tell, so there the first frame is asked."""
    order = getattr(video.stream.codec_context, "field_order", None)
    if order is not None:
        return order in _INTERLACED
    return first is not None and bool(first.image.interlaced_frame)


def _place(video: VideoStream) -> tuple[int, int]:
    """Return the number of the stream that is read among the video streams, from 1, and their number."""
    others = [
        stream.index
        for stream in video.container.streams.video
        if stream.index != video.stream.index and not stream.disposition & Disposition.attached_pic
    ]
    return 1 + sum(index < video.stream.index for index in others), 1 + len(others)


def _read_track(video: VideoStream) -> Track:
    """Read all packets without decoding them. Raises VideoError."""
    stream, container = video.stream, video.container
    packets = hidden = 0
    times: list[int | None] = []
    end, last = 0.0, (-math.inf, 0)
    for packet in video.packets():
        if not packet.size:
            continue
        hidden += packet.is_discard
        packets += not packet.is_discard
        if packets + hidden > MOST_PACKETS:
            raise VideoError(f"holds more than {MOST_PACKETS:,} packets: cut it into shorter videos")
        if packet.pts is not None and stream.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * stream.time_base))
            last = max(last, (packet.pts, packet.duration or 0))
        if not packet.is_discard:
            times.append(packet.pts)
    counts = stream.codec_context.codec.canonical_name in _FRAMES_OF_PACKETS and container.format.name != "mpegts"
    promised = max(_stated_frames(video) - hidden, packets if counts else 0, 0)
    known = [time for time in times if time is not None]
    if not stream.time_base or len(known) < len(times):
        return Track(packets, promised, _missing_seconds(video, end), None, None)
    tick, stated = float(stream.time_base), stream.average_rate or stream.guessed_rate
    rate = float(stated) if stated else None
    seconds = total_seconds(known, tick, last=last[1], rate=rate)
    rate = rate_of(known, tick, stated=rate)
    return Track(packets, promised, _missing_seconds(video, end), uneven(known, tick), seconds, rate)


def _stated_frames(video: VideoStream) -> int:
    """Return how many frames the header says that there are, 0 where it does not. Of MP4 and MOV these are the frames
    that its edit list leaves, with those before them that decoding needs."""
    frames = video.stream.frames
    return len(video.stream.index_entries) if frames and video.container.format.name.startswith("mov") else frames


def _missing_seconds(video: VideoStream, end: float) -> float:
    """Return by how many seconds the packets end before the promised length, 0 where none is promised.

    Only a container that holds nothing but the video, and tells its length in a header, promises a length for the
    video.
    """
    container, stream = video.container, video.stream
    if container.duration is None or not end or len(container.streams) > 1 or container.format.name in _GUESSED:
        return 0.0
    start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    return max(0.0, container.duration / 1e6 - (end - start))
