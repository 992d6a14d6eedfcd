"""What a video says of itself before its frames are decoded, and how that is sent between processes.

`decoding.stream` reads it from a video file. All values that come from there are checked, because a process that
decodes untrusted files made them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MERGES_FRAMES = {"gif": "GIF", "webp": "animated WebP", "apng": "animated PNG"}
"""Codecs whose writers merge equal frames into one that is shown for longer, and the names of their formats."""

SDR, PQ, HLG = TRANSFERS = ("SDR", "PQ", "HLG")
"""Transfer functions, which say how values stand for light: that of usual videos, or one of the two of high dynamic
range (ITU-R BT.2100)."""

RAW = "raw"
"""The codec in the header of arrays, and of what is made on demand: none."""

MOST_PACKETS = 2**26
"""The most packets that one file may hold: 6 days at 120 frames a second."""

_NAME = re.compile(r"[A-Za-z0-9_.;-]{1,64}")


@dataclass(frozen=True, slots=True)
class Probe:
    """The header of one video.

    codec: `h264`, `jpeg`, `png` and so on, or RAW.
    pixel_format: the library's name for it, such as `yuv420p`.
    size: (width, height) in pixels of the frames as they are displayed. None where it is not known.
    rate: frames a second. None for images and arrays, which have none.
    is_interlaced: whether each frame is made of two fields, which show two moments.
    pixel_aspect: width to height of a pixel. None where pixels are square.
    transfer: `SDR`, `PQ` or `HLG`.
    stream: the number of the video stream that is read, from 1, and the number of video streams without cover images.
    is_mirrored: whether a display matrix or EXIF mirrors the frames for display.
    """

    codec: str
    pixel_format: str
    size: tuple[int, int] | None
    rate: float | None
    is_interlaced: bool = False
    pixel_aspect: tuple[int, int] | None = None
    transfer: str = SDR
    stream: tuple[int, int] = (1, 1)
    is_mirrored: bool = False

    @classmethod
    def from_head(cls, head: Mapping[str, Any]) -> Probe:
        """Make one from JSON values under the names of the fields. Raises KeyError, TypeError, ValueError."""
        size, rate, aspect = head["size"], head["rate"], head["pixel_aspect"]
        if head["transfer"] not in TRANSFERS:
            raise ValueError(f"{head['transfer']!r:.80} is no transfer")
        return cls(
            codec=_name(head["codec"]),
            pixel_format=_name(head["pixel_format"]),
            size=None if size is None else _pair(size),
            rate=None if rate is None else _length(rate),
            is_interlaced=head["is_interlaced"] is True,
            pixel_aspect=None if aspect is None else _pair(aspect),
            transfer=head["transfer"],
            stream=_pair(head["stream"]),
            is_mirrored=head["is_mirrored"] is True,
        )


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The header of one image file.

    images: number of images in the file, more than one in a TIFF of several pages or in an animation.
    """

    probe: Probe
    images: int

    @classmethod
    def from_head(cls, head: Mapping[str, Any]) -> ImageHeader:
        """Make one from JSON values under the names of the fields. Raises KeyError, TypeError, ValueError."""
        return cls(Probe.from_head(head["probe"]), _count(head["images"]))


@dataclass(frozen=True, slots=True)
class Track:
    """What the container of a video file promises.

    packets: number of packets in the file, without those that are not to be shown.
    frames: the most frames that the header or the packets promise. 0 where they promise none.
    missing_seconds: time by which the packets end before the length that the header promises. 0 where it promises none.
    intervals: shortest and longest time between frames in milliseconds. None where they are those of a constant rate.
    seconds, rate: the length of the video, and its frames a second, by the times of its frames, see `total_seconds` and
        `rate_of`. None where these do not tell.
    """

    packets: int
    frames: int
    missing_seconds: float
    intervals: tuple[float, float] | None
    seconds: float | None
    rate: float | None = None

    @classmethod
    def from_head(cls, head: Mapping[str, Any]) -> Track:
        """Make one from JSON values under the names of the fields. Raises KeyError, TypeError, ValueError."""
        packets, intervals = _count(head["packets"]), head["intervals"]
        seconds, rate = head["seconds"], head["rate"]
        if packets > MOST_PACKETS:  # each frame that is asked for takes a place in memory
            raise ValueError(f"{packets} packets are too many")
        if intervals is not None:
            shortest, longest = map(_length, intervals)
            intervals = shortest, longest
        return cls(
            packets=packets,
            frames=_count(head["frames"]),
            missing_seconds=_length(head["missing_seconds"]),
            intervals=intervals,
            seconds=None if seconds is None else _length(seconds),
            rate=None if rate is None else _length(rate),
        )


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r:.80} is no name of a codec or pixel format")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{value!r:.80} is no count")
    return value


def _pair(values: Any) -> tuple[int, int]:
    one, other = map(_count, values)
    return one, other


def _length(value: object) -> float:
    if not isinstance(value, float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r:.80} is no length or rate")
    return value
