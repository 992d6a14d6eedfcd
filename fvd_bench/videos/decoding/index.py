"""Where each frame of a video is and what it must look like, noted while all are decoded, so that later reads can seek.

A frame that is read after seeking counts only if its time and its checksum are those of the index. So seeking either
gives the frames that decoding from the start gives, or is abandoned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ENTRY = np.dtype([("time", "<i8"), ("checksum", "<u4"), ("key", "?"), ("damaged", "?")])


class Entry(NamedTuple):
    """One frame in the index.

    time: time of presentation, in the stream's units.
    checksum: see `video_frame.checksum`.
    key: whether decoding may begin at this frame.
    damaged: see `video.Frame`.
    """

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
        """Make an index, or return None where a time is missing or does not rise: then times do not tell frames
        apart."""
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
        """Return the place of the last keyframe at or before a frame, or 0 if there is none."""
        before = int(np.searchsorted(self._keys, place, side="right"))
        return int(self._keys[before - 1]) if before else 0
