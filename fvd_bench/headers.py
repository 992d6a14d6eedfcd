"""What a video file says of itself before a frame is decoded, in plain values that can cross between processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Header:
    """Of the video stream. width, height: in pixels; rate: frames a second, None where it has none."""

    codec: str
    pixel_format: str
    width: int
    height: int
    rate: float | None

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Header:
        """What another process told. Raises ValueError, KeyError."""
        rate = values["rate"]
        return cls(
            str(values["codec"])[:40],
            str(values["pixel_format"])[:40],
            _count(values["width"]),
            _count(values["height"]),
            None if rate is None else _number(rate),
        )


@dataclass(frozen=True, slots=True)
class Track:
    """What the container promises.

    packets: in the file, those left out that are not to be shown. frames: the most that header or packets promise,
    0 where they promise none. missing_seconds: by which the packets end before the length that the header promises,
    0 where it promises none. intervals: shortest and longest time between frames in milliseconds where they are not
    those of a constant rate, else None.
    """

    packets: int
    frames: int
    missing_seconds: float
    intervals: tuple[float, float] | None

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Track:
        """What another process told. Raises ValueError, KeyError, TypeError."""
        intervals = values["intervals"]
        if intervals is not None:
            shortest, longest = map(_number, intervals)
            intervals = shortest, longest
        return cls(_count(values["packets"]), _count(values["frames"]), _number(values["missing_seconds"]), intervals)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _number(value: object) -> float:
    if not isinstance(value, float | int) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
