"""The video stream of a file, decoded frame by frame by FFmpeg on one thread; used in the decoding process only."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import VideoError
from fvd_bench.frame_index import FrameIndex, checksum
from fvd_bench.limits import Limits

_SEEK_FROM = 8
"""Frames that seeking must spare: it costs about as much as decoding a few."""

_ALIVE_SECONDS = 0.2

_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
"""Tags of a file need not be UTF-8: PyAV 17 and 18 refuse such files unless they are told not to, 19 never does."""

Decoded = tuple[av.VideoFrame, bool]
"""A frame, and whether data was lost in or right before it."""


class Meter:
    """What one request has cost. alive: called now and then. decoded: frames, those skipped included."""

    def __init__(self, limits: Limits, alive: Callable[[], None]) -> None:
        self._limits = limits
        self._alive = alive
        self._began = time.process_time()
        self._told = time.monotonic()
        self.decoded = 0

    def packet_done(self) -> None:
        """Raises VideoError when a video takes too long."""
        if time.process_time() - self._began > self._limits.decode_seconds:
            raise VideoError(
                f"is not decoded after {self._limits.decode_seconds:g} seconds of processor time and {self.decoded:,} "
                "frames: cut it into shorter videos"
            )
        if time.monotonic() - self._told > _ALIVE_SECONDS:
            self._told = time.monotonic()
            self._alive()


class VideoStream:
    """A stream that is open for decoding, and the container that it is in."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream, meter: Meter) -> None:
        self.container = container
        self.stream = stream
        self._meter = meter

    def packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """All packets up to where the container ends or breaks off, none of them decoded. Raises VideoError."""
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
        """All frames that decode from where the stream stands, in order of presentation. Raises VideoError."""
        lost = False
        any_decoded = False
        try:
            for packet in self.container.demux(self.stream):
                self._meter.packet_done()
                try:
                    for frame in packet.decode():
                        any_decoded = True
                        self._meter.decoded += 1
                        yield frame, lost or frame.is_corrupt
                        lost = False
                except av.error.InvalidDataError:
                    lost = True
        except av.error.InvalidDataError as error:
            if not any_decoded:
                raise _undecodable(error) from error
            # Else the container breaks off: what came before it decodes.
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise _undecodable(error) from error

    def sought(self, places: Sequence[int], index: FrameIndex) -> Iterator[Decoded]:
        """The frames at these ascending places, seeking where that spares decoding.

        Ends before the first frame that is not exactly the one in the index.
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
                        frames = self.frames()
                    found = next((f for f, _ in frames if f.pts is not None and f.pts >= wanted.time), None)
                    if found is not None and found.pts == wanted.time and checksum(found) == wanted.checksum:
                        yield found, wanted.damaged
                        break
                else:
                    return
                position = place + 1
        except (VideoError, av.error.FFmpegError) as error:
            if isinstance(error, MemoryError):
                raise


@contextmanager
def open_stream(source: str | io.BytesIO, limits: Limits, meter: Meter) -> Iterator[VideoStream]:
    """Open what FFmpeg takes for the best video stream, see docs/decoding.md. Raises VideoError, also for frames above
    the limit."""
    # A playlist in an archive must not lead FFmpeg to files beside the archive, or to the network.
    options = {} if isinstance(source, str) else {"protocol_whitelist": "none"}
    try:
        container = av.open(source, "r", options=options, **_ANY_TAGS)
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError as error:
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
        context.thread_type = "NONE"
        context.options = {"max_pixels": str(limits.pixels)}  # where the size changes in the middle, too
        yield VideoStream(container, stream, meter)


def _ways(index: FrameIndex, place: int, position: int) -> tuple[int | None, ...]:
    """Keyframes to try in turn for a frame when the next one that decodes is at a position; None: go on decoding."""
    keyframe = index.keyframe(place)
    if keyframe - position < _SEEK_FROM:
        return (None,)
    # Seeking in MPEG streams may end behind the time that is sought, so an earlier one is worth a try.
    return keyframe, index.keyframe(keyframe - 1)


def rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """uint8 [H, W, 3], turned as the video's rotation tag says."""
    pixels = frame.to_ndarray(format="rgb24", threads=1)
    if frame.rotation:
        pixels = np.rot90(pixels, frame.rotation // 90)
    return np.ascontiguousarray(pixels)


def _undecodable(error: av.error.FFmpegError) -> VideoError:
    what = error.strerror or str(error)
    if isinstance(error, av.error.ArgumentError):
        what += ", which a header with an impossible frame size gives; make the file again, or leave it out"
    return VideoError(f"cannot be decoded: {what}")
