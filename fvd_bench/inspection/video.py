"""One video looked at from its first to its last frame: what it is, and what is wrong with it by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from PIL import Image

from fvd_bench.errors import VideoError
from fvd_bench.inspection.faults import is_same_rate
from fvd_bench.videos.all_frames import all_frames
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.frame_names import Doubt
from fvd_bench.videos.frame_times import widest
from fvd_bench.videos.greys import Greys, small_grey
from fvd_bench.videos.header import Probe, Track
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.probe import probe
from fvd_bench.videos.video import Frame, Pixels, Video

DARK = 0.10
DARK_PART = 0.98
"""A frame is black when at least `DARK_PART` of its pixels have less than `DARK` of full luma. Both are the defaults of
FFmpeg's blackdetect. A video is black when all of its frames are."""

FROZEN = 1.0
"""A video is frozen when no frame is further than this from the first: grey levels, as a mean over 32 × 32 areas.

A still image coded as H.264 comes to 0.50 at quality factors up to 45 and 0.91 at 51, one of 64 × 48 pixels to 0.78. 63
real videos of 3 to 200 frames that are not black come to 2.0 or more.
"""


@dataclass(slots=True)
class Examined:
    """What was found in one video.

    frames: number of frames that decode. unreadable: why no frame decodes, None if one does.
    broken_off: why reading ended before the end of the video, None if it did not.
    sizes: (width, height) of its frames, each once.
    damaged: number of frames that decode with errors, or with data lost right before them.
    transparent: number of frames that are not opaque.
    jpeg_qualities: qualities of the frames that are JPEG files; 0 stands for quantisation tables of their own.
    levels: lowest and highest value, for arrays only.
    content: sha256 of the files. pictures: sha256 of the decoded frames. Both are None where they cannot be had.
    start: sha256 of the first frame, None where that is black.
    missing: names of images that ought to lie between others.
    mixture, doubts: what the names of images say, see `frame_names`.
    probe, track: what header and container say, None where there is nothing to probe.
    """

    name: str
    frames: int = 0
    unreadable: str | None = None
    broken_off: str | None = None
    sizes: list[tuple[int, int]] = field(default_factory=list)
    damaged: int = 0
    transparent: int = 0
    jpeg_qualities: set[int] = field(default_factory=set)
    levels: tuple[int, int] | None = None
    content: str | None = None
    pictures: str | None = None
    start: str | None = None
    black: bool = False
    frozen: bool = False
    missing: tuple[str, ...] = ()
    mixture: str | None = None
    doubts: tuple[Doubt, ...] = ()
    probe: Probe | None = None
    track: Track | None = None

    @property
    def seconds(self) -> float | None:
        """The length of the video, None where it has no rate: by the times in the file, and else by its rate.

        Of a file of which fewer frames decode than it promises, it is the part that decodes.
        """
        if not self.frames:
            return None
        if self.track and self.track.seconds is not None:
            return self.track.seconds * (self.frames / max(self.track.frames, self.frames))
        return self.frames / self.probe.rate if self.probe and self.probe.rate else None

    @property
    def rate(self) -> float | None:
        """Frames a second, None where it has no rate: as the header has it, or where the times of the frames are those
        of another rate, by these, to hundredths, since times are whole ticks."""
        stated, measured = self.probe.rate if self.probe else None, self.track.rate if self.track else None
        if not measured or (stated and is_same_rate(measured, stated)):
            return stated
        return round(measured, 2)


def examine(name: str, video: Video) -> Examined:
    """Decode a video once, with one frame at a time in memory, and say what it is."""
    found = Examined(name)
    look = _Look()
    try:
        if isinstance(video, FrameFolder):
            found.mixture, found.doubts = video.mixture, video.doubts
            found.missing = missing_numbers(video.names)
        found.content = video.content()
        found.probe = probe(video)
        if isinstance(video, VideoFile):
            found.track = video.track()
        if isinstance(video, FrameFolder):
            video.check_all()
        for frame in all_frames(video, found.track):
            look.take(frame.pixels)
            _note(found, frame)
    except VideoError as error:
        if found.frames:
            found.broken_off = str(error)
        else:
            found.unreadable = str(error)
    if found.frames:
        found.black, found.frozen = look.black, look.frozen and found.frames > 1
        found.pictures, found.start = look.pictures(), look.start
    elif not found.unreadable:
        found.unreadable = "no frame of it decodes"
    return found


def missing_numbers(names: Sequence[str]) -> tuple[str, ...]:
    """List the names of images that ought to lie between those of a folder.

    names: the names in the folder, in natural order. There are missing ones only where the names differ in one number,
    and those numbers go up by the same step but for some gaps; the step is their smallest difference.
    """
    parts = [re.fullmatch(r"(.*?)(\d{1,18})(\D*)", name, re.DOTALL) for name in names]
    if len(names) < 3 or not all(parts):
        return ()
    before, digits, after = zip(*(part.groups() for part in parts if part), strict=True)
    numbers = [int(number) for number in digits]
    steps = np.diff(numbers)
    if len(set(before)) > 1 or len(set(after)) > 1 or steps.min() < 1 or (steps % steps.min()).any():
        return ()
    there, step = set(numbers), int(steps.min())
    width = len(digits[0])  # of the smallest number, so that it pads those alone that are padded
    absent = (number for number in range(numbers[0], numbers[-1], step) if number not in there)
    return tuple(f"{before[0]}{number:0{width}d}{after[0]}" for number in islice(absent, _MOST_MISSING))


_MOST_MISSING = 1000
"""The most missing images that are named, since a gap may be as wide as its numbers say."""


def _note(found: Examined, frame: Frame) -> None:
    height, width, _ = frame.pixels.shape
    found.frames += 1
    found.damaged += frame.damaged
    found.levels = widest(found.levels, frame.levels)
    found.transparent += frame.transparent
    if (width, height) not in found.sizes:
        found.sizes.append((width, height))
    if frame.jpeg_quality is not None:
        found.jpeg_qualities.add(frame.jpeg_quality)


class _Look:
    """Sees frame after frame, and remembers whether all are black, whether all are frozen, and which they were."""

    def __init__(self) -> None:
        self.black = self.frozen = True
        self.start: str | None = None
        self._first: Greys | None = None
        self._hash = hashlib.sha256()

    def take(self, pixels: Pixels) -> None:
        self._hash.update(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes())
        if self.black:
            self.black = is_black(pixels)
        if self._first is None and not self.black:
            self.start = self.pictures()
        if self.frozen:
            grey = small_grey(Frame(pixels))
            self._first = grey if self._first is None else self._first
            self.frozen = float(np.abs(grey - self._first).mean()) <= FROZEN

    def pictures(self) -> str:
        return self._hash.hexdigest()


def is_black(pixels: Pixels) -> bool:
    """Return whether a frame is black. pixels: uint8 [H, W, 3]."""
    counts = Image.fromarray(pixels).convert("L").histogram()
    dark = sum(counts[: int(DARK * 255) + 1])
    return dark >= DARK_PART * sum(counts)
