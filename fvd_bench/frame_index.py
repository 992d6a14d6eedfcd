"""Where each frame of a video is and what it must look like, noted while all are decoded, so that later reads seek.

A frame that is read after seeking counts only if its time and its checksum are those of the index. So seeking gives
the frames that decoding from the start gives, or is given up.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

_ENTRY = np.dtype([("time", "<i8"), ("checksum", "<u4"), ("key", "?"), ("damaged", "?")])


class Entry(NamedTuple):
    """One frame. time: of presentation, in the stream's units; key: decoding may begin here; damaged: see `Frame`."""

    time: int
    checksum: int
    key: bool
    damaged: bool


class FrameIndex:
    """The entries of all frames that decode, in their order, at strictly rising times."""

    def __init__(self, entries: NDArray[np.void]) -> None:
        self._entries = entries
        self._keys = np.flatnonzero(entries["key"])

    @classmethod
    def of(cls, entries: list[Entry | None]) -> FrameIndex | None:
        """None where a time is missing or does not rise: there frames cannot be told apart by it."""
        known = [entry for entry in entries if entry is not None]
        index = cls(np.array(known, dtype=_ENTRY))
        rising = bool((np.diff(index._entries["time"]) > 0).all())
        return index if rising and len(known) == len(entries) else None

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> FrameIndex:
        return cls(np.frombuffer(data, dtype=_ENTRY))

    def to_bytes(self) -> bytes:
        return self._entries.tobytes()

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, place: int) -> Entry:
        return Entry(*self._entries[place].item())

    def keyframe(self, place: int) -> int:
        """Place of the last keyframe at or before a frame; 0 if there is none."""
        before = int(np.searchsorted(self._keys, place, side="right"))
        return int(self._keys[before - 1]) if before else 0


def entry(frame: av.VideoFrame, *, damaged: bool) -> Entry | None:
    """The entry of a decoded frame, None for one without a time."""
    return None if frame.pts is None else Entry(frame.pts, checksum(frame), bool(frame.key_frame), damaged)


def checksum(frame: av.VideoFrame) -> int:
    """CRC-32 of everything that a frame's RGB pixels are made from."""
    form = frame.format
    made_as = (form.name, frame.width, frame.height, frame.color_range, frame.colorspace, frame.rotation)
    found = zlib.crc32(repr(made_as).encode())
    for number, plane in enumerate(frame.planes):
        lines = np.frombuffer(memoryview(plane), dtype=np.uint8)
        width = _line_bytes(form, number, plane.width)
        if 0 < width <= plane.line_size and plane.height * plane.line_size <= lines.size:
            # What lies behind a line's end is left over from other frames.
            lines = lines[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)[:, :width]
        found = zlib.crc32(np.ascontiguousarray(lines).data, found)
    return found


def _line_bytes(form: av.VideoFormat, number: int, width: int) -> int:
    """Bytes of a line of a plane that hold pixels; 0 where that is not known."""
    planes = {component.plane for component in form.components}
    if planes == {0}:
        return -(-form.padded_bits_per_pixel * width // 8) if number == 0 else 0
    return sum(-(-component.bits // 8) for component in form.components if component.plane == number) * width
