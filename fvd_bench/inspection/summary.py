"""What is in a set of videos, as numbers: how many videos, how long, at which rate, of which size and codec."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fvd_bench.inspection.faults import rate_text, size_text
from fvd_bench.inspection.video import Examined
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES
from fvd_bench.sources.opening import ClipSource

_BINS = 12


@dataclass(frozen=True, slots=True)
class Histogram:
    """Lengths of videos, in frames.

    counts[i]: number of videos with at least edges[i] and fewer than edges[i + 1] frames.
    """

    edges: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """How many videos are long enough for one side of a protocol.

    side: `real`, `fake`, or `both` where the two need the same. frames: the number that a video needs.
    """

    protocol: str
    side: str
    frames: int
    videos: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in one side.

    videos: number of listed videos. decoded: how many have a frame that decodes; the other fields are about these
    alone.
    timed: how many of these have times or a frame rate, of their own or as it was given.
    hours, mean_seconds: total and mean length of the timed ones, see `Examined.seconds`. None where there are none.
    fps, sizes, codecs, pixel_formats: value -> number of videos, most frequent first. fps: see `Examined.rate`.
    jpeg_qualities: the same for videos with JPEG frames; `own` stands for quantisation tables of no standard quality.
    folders: the first parts of the names behind what all names share -> number of videos, in the order of the names:
        such as classes or speakers. Empty where a video lies in no such folder.
    """

    path: str
    kind: str
    videos: int
    decoded: int
    timed: int
    hours: float | None
    mean_frames: float | None
    mean_seconds: float | None
    fps: Mapping[str, int]
    sizes: Mapping[str, int]
    codecs: Mapping[str, int]
    pixel_formats: Mapping[str, int]
    jpeg_qualities: Mapping[str, int]
    folders: Mapping[str, int]
    lengths: Histogram
    needs: tuple[Need, ...]


def contents_of(
    source: ClipSource, videos: Sequence[Examined], rules: Sequence[Protocol], fps: float | None = None
) -> Contents:
    """Sum up a side. rules: protocols to check lengths against. fps: the frame rate of videos that have none."""
    decoded = [video for video in videos if video.frames]
    probes = [video.probe for video in decoded if video.probe]
    rates = [rate for video in decoded if (rate := video.rate or fps)]
    seconds = [length for video in decoded if (length := video.seconds or (fps and video.frames / fps))]
    lengths = [video.frames for video in decoded]
    return Contents(
        path=source.name,
        kind=source.kind,
        videos=len(videos),
        decoded=len(decoded),
        timed=len(seconds),
        hours=sum(seconds) / 3600 if seconds else None,
        mean_frames=statistics.fmean(lengths) if lengths else None,
        mean_seconds=statistics.fmean(seconds) if seconds else None,
        fps=_count(rate_text(rate) for rate in rates),
        sizes=_count(size_text(video.sizes[0]) for video in decoded),
        codecs=_count(probe.codec for probe in probes),
        pixel_formats=_count(probe.pixel_format for probe in probes),
        jpeg_qualities=_count(quality_text(q) for video in decoded for q in sorted(video.jpeg_qualities)),
        folders=folders_of([video.name for video in videos]),
        lengths=histogram(lengths),
        needs=tuple(
            Need(p.name, side, frames, sum(n >= frames for n in lengths))
            for p in rules
            for side, frames in frames_needed(p)
        ),
    )


def folders_of(names: Sequence[str]) -> dict[str, int]:
    """Count videos by the first folder of their names behind those that all share. Empty where a video is in none."""
    paths = [name.split("/")[:-1] for name in names]
    shared = 0
    while all(len(path) > shared for path in paths):
        found = Counter(path[shared] for path in paths)
        if len(found) != 1:
            return dict(found)
        shared += 1
    return {}


def histogram(lengths: Sequence[int]) -> Histogram:
    """Count lengths in at most 12 bins of equal width. The edges are whole numbers."""
    if not lengths:
        return Histogram((), ())
    low, high = min(lengths), max(lengths)
    width = -(-(high - low + 1) // _BINS)
    bins = (high - low) // width + 1
    counts = Counter((length - low) // width for length in lengths)
    return Histogram(tuple(low + width * i for i in range(bins + 1)), tuple(counts[i] for i in range(bins)))


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def quality_text(quality: int) -> str:
    """Return the quality of a JPEG file; 0 is one whose tables are those of no quality."""
    return str(quality) if quality else "own"


def frames_needed(protocol: Protocol) -> list[tuple[str, int]]:
    """Return how many frames a video must have on each side of a protocol, as (side, frames)."""
    real, fake = (protocol.clip_rule(side).frames_needed for side in SIDES)
    return [("both", real)] if real == fake else [("real", real), ("fake", fake)]
