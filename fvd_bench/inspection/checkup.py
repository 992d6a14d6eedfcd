"""inspect(folder): what is in a set of videos, and every defect found in it. All frames are decoded."""

from __future__ import annotations

import dataclasses
import functools
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from fvd_bench.finding import Finding, noted, of_side, worst_first
from fvd_bench.inspection import faults
from fvd_bench.inspection.faults import FAULTS, Appearance, size_text
from fvd_bench.inspection.summary import Contents, contents_of, frames_needed, quality_text
from fvd_bench.inspection.video import Examined, examine
from fvd_bench.processors import processors
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.protocol import Protocol, ProtocolLike, each, load
from fvd_bench.sources.clip_source import value_range_of
from fvd_bench.sources.opening import ClipSource, SourceLike, open_source
from fvd_bench.version import __version__
from fvd_bench.videos.frame_times import intervals_text, widest
from fvd_bench.videos.header import MERGES_FRAMES
from fvd_bench.videos.prefetch import in_order
from fvd_bench.words import counted, listed

SCHEMA = 1

PAPER_PROTOCOLS = ("stylegan-v-fvd16", "stylegan-v-fvd128", "stylegan-v-fid")
"""Protocols for which the long enough videos are always counted. The first is that of `evaluate`: videos that are too
short for it are a finding, unless other protocols are asked for."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found in one side or two. The side of a finding is that side's path; its code is one of `FAULTS`."""

    sides: tuple[Contents, ...]
    findings: tuple[Finding, ...]

    def __post_init__(self) -> None:
        assert {finding.code for finding in self.findings} <= FAULTS.keys()

    def to_json(self) -> str:
        """Return JSON text of schema 1. It names every video of every finding."""
        found = [
            {
                "code": finding.code,
                "side": finding.side,
                "message": finding.message,
                "videos": [{"video": name, "detail": why} for name, why in finding.videos.items()],
            }
            for finding in self.findings
        ]
        sides = [asdict(side) for side in self.sides]
        return (
            json.dumps({"schema": SCHEMA, "fvd_bench": __version__, "sides": sides, "findings": found}, indent=2) + "\n"
        )


def inspect(
    path: SourceLike,
    against: SourceLike | None = None,
    *,
    protocol: ProtocolLike | Sequence[ProtocolLike] = (),
    fps: float | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Checkup:
    """Look at all videos of a side, and of another side to compare it with.

    protocol: one or several for which videos can be too short; that of `evaluate` if there are none. For these and
    those of the paper the videos that are long enough are counted.
    fps: the frame rate of videos that have none of their own, such as folders of frames; None leaves it unknown.
    workers: number of decoding threads, None for one per processor. The findings do not depend on it.
    Raises SourceError when a side cannot be opened, and ProtocolError.
    """
    asked = {p.digest(): p for p in map(load, each(protocol or PAPER_PROTOCOLS[:1]))}
    rules = list(({p.digest(): p for p in map(load, PAPER_PROTOCOLS)} | asked).values())
    sources = [open_source(side, progress) for side in ([path] if against is None else [path, against])]
    workers = workers or processors()
    examined = [_examine_all(source, workers=workers, progress=progress) for source in sources]
    sides = tuple(contents_of(*side, rules, fps) for side in zip(sources, examined, strict=True))
    findings = [
        finding
        for source, side in zip(sources, examined, strict=True)
        for finding in of_side(source.name, _within(source, side, list(asked.values())))
    ]
    if len(sources) == 2:
        who = (f"videos of {sources[0].name}", f"videos of {sources[1].name}")
        findings += _between(*examined, who=who)
    return Checkup(sides, tuple(worst_first(findings)))


def _examine_all(source: ClipSource, *, workers: int, progress: Progress) -> list[Examined]:
    """Examine every video, in the order of the listing."""

    def work(index: int) -> Iterator[Examined]:
        yield examine(source.names[index], source.video(index))

    found: list[Examined] = []
    total = len(source.names)
    for _, video in in_order(range(total), work, workers=workers):
        found.append(video)
        progress(f"videos of {source.name}", len(found), total)
    return found


def _within(source: ClipSource, videos: Sequence[Examined], rules: Sequence[Protocol]) -> Iterator[Finding]:
    """Yield what is wrong within one side."""
    yield from map(noted, source.notes)
    decoded = [video for video in videos if video.frames]
    yield from _shared_by("unreadable", "no frame decodes", {v.name: v.unreadable for v in videos if not v.mixture})
    yield from _shared_by("two-sequences", "two images have the same place", {v.name: v.mixture for v in videos})
    for code, message in _DOUBTS.items():
        yield from _shared_by(code, message, {v.name: d.detail for v in videos for d in v.doubts if d.code == code})
    yield from _shared_by("truncated", "fewer frames decode than is promised", {v.name: _shortfall(v) for v in decoded})
    yield from _shared_by("damaged", "frames are damaged", {v.name: _damage(v) for v in decoded})
    for protocol in rules:
        for side, needed in frames_needed(protocol):
            of = protocol.name if side == "both" else f"the {side} side of {protocol.name}"
            short = {v.name: _length(v) for v in decoded if v.frames < needed}
            yield from _shared_by("too-short", f"too short for {of}, which needs {counted(needed, 'frame')}", short)
    yield from _shared_by("black", "black from the first to the last frame", {v.name: "" for v in decoded if v.black})
    yield from _shared_by(
        "frozen", "all frames are as the first", {v.name: "" for v in decoded if v.frozen and not v.black}
    )
    yield from _shared_by("transparent", faults.TRANSPARENT, {v.name: _alpha(v) for v in decoded})
    yield from _shared_by("missing-frames", "images are missing", {v.name: _gap(v) for v in videos})
    yield from faults.uncommon("videos", [_appearance(video) for video in decoded])
    yield from _shared_by("size-changes", "the frames differ in size", {v.name: _sizes(v) for v in decoded})
    yield from _shared_by("variable-rate", "the time between frames varies", {v.name: _times(v) for v in decoded})
    levels = functools.reduce(widest, (v.levels for v in decoded), None)
    yield from faults.little_used("videos", levels, stated=value_range_of(source))
    files = {v.name: v.content for v in videos if v.content}
    frames = {v.name: v.pictures for v in decoded if v.pictures}
    yield from faults.duplicates("videos", files, of="files")
    yield from faults.duplicates("videos", frames, of="frames", but=files)
    starts = {v.name: v.start for v in decoded if v.start}
    yield from faults.duplicates("videos", starts, of="starts", but=frames)
    yield from faults.mixed("videos", [_appearance(video) for video in decoded])
    qualities = {v.name: ", ".join(map(quality_text, sorted(v.jpeg_qualities))) for v in decoded if v.jpeg_qualities}
    if len(set(qualities.values())) > 1:
        usual = statistics.mode(qualities.values())
        odd = {name: quality for name, quality in qualities.items() if quality != usual}
        yield Finding.of("mixed-qualities", f"JPEG qualities differ, most are {usual}", odd)


_DOUBTS = {
    "odd-images": "some images are not named as the others in their folder",
    "frame-order": "the names of the images leave their order in doubt",
}


def _between(one: Sequence[Examined], other: Sequence[Examined], *, who: tuple[str, str]) -> Iterator[Finding]:
    """Yield what is wrong between two sides."""
    files, pictures = (
        [{v.name: digest for v in side if (digest := getattr(v, of))} for side in (one, other)]
        for of in ("content", "pictures")
    )
    same = faults.shared(*files, of="files", who=who)
    yield from same
    told = frozenset(name for finding in same for name in finding.videos)
    yield from faults.shared(*pictures, of="frames", who=who, but=told)
    decoded = [[v for v in side if v.frames] for side in (one, other)]
    yield from faults.mismatched(*([_appearance(video) for video in side] for side in decoded), who=who)
    qualities = [sorted({q for video in side for q in video.jpeg_qualities}) for side in decoded]
    if all(qualities) and qualities[0] != qualities[1]:
        here, there = (", ".join(map(quality_text, found)) for found in qualities)
        yield Finding("jpeg-mismatch", f"JPEG qualities differ: {here} for {who[0]}, {there} for {who[1]}")


def _shared_by(code: str, message: str, videos: Mapping[str, str | None]) -> list[Finding]:
    """Make a finding of the videos that have something to report. videos: name -> what that is, None for nothing."""
    found = {name: why for name, why in videos.items() if why is not None}
    what = f"{counted(len(found), 'video')}: {message}"
    return [Finding.of(code, what, found)] if found else []


def _appearance(video: Examined) -> Appearance:
    return Appearance(video.name, video.sizes[0], video.probe and dataclasses.replace(video.probe, rate=video.rate))


def _length(video: Examined) -> str:
    form = MERGES_FRAMES.get(video.probe.codec) if video.probe and video.track else None  # a folder has no track
    return counted(video.frames, "frame") + (f" of {form}, whose writer may have merged equal ones" if form else "")


def _shortfall(video: Examined) -> str | None:
    track = video.track
    if track is None:
        return None
    if video.frames < track.frames:
        return counted(video.frames, "frame", of=track.frames)
    if track.missing_seconds > max(_LEAST_MISSING_SECONDS, _LEAST_MISSING_PART * (video.seconds or 0.0)):
        return f"ends {track.missing_seconds:.2g} seconds before its length in the header"
    return None


_LEAST_MISSING_SECONDS, _LEAST_MISSING_PART = 0.5, 0.05
"""A video counts as truncated when it misses more of the length in its header than both half a second and a twentieth
of the video. Less may come from rounding, and from lengths that end with the last frame's beginning."""


def _damage(video: Examined) -> str | None:
    if video.broken_off:
        return f"after {counted(video.frames, 'frame')}: {video.broken_off}"
    return counted(video.damaged, "frame", of=video.frames) if video.damaged else None


def _alpha(video: Examined) -> str | None:
    return counted(video.transparent, "frame", of=video.frames) if video.transparent else None


def _gap(video: Examined) -> str | None:
    return listed(video.missing) if video.missing else None


def _sizes(video: Examined) -> str | None:
    return ", ".join(map(size_text, video.sizes)) if len(video.sizes) > 1 else None


def _times(video: Examined) -> str | None:
    return intervals_text(video.track.intervals) if video.track and video.track.intervals else None
