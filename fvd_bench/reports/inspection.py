"""A checkup for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType

from fvd_bench.finding import worst_first
from fvd_bench.inspection.checkup import Checkup
from fvd_bench.inspection.summary import Contents, Need
from fvd_bench.reports.cells import most_frequent
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose, Record
from fvd_bench.videos.header import RAW
from fvd_bench.words import counted

_MOST_VALUES = 3
_BAR_WIDTH = 24


def checkup_report(checkup: Checkup) -> Report:
    """Report what is in the sides, how long the videos are, and what was found, the worst first."""
    findings = worst_first(checkup.findings)
    parts: list[RenderableType] = []
    for side in checkup.sides:
        parts += [Record(side.path, list(_contents(side)), more=side.kind), _lengths(side), ""]
    several = len(checkup.sides) > 1
    for finding in findings:
        where = f" of {finding.side}" if several and finding.side else ""
        parts.append(Prose(f"{finding.code}{where}: {finding.message}", label="! "))
    if not findings:
        parts.append(Prose("nothing was found to be wrong"))
    rows = [[finding.code, finding.side or "both", finding.message] for finding in findings]
    return Report(
        text=Group(*parts),
        grid=Grid([Column("found"), Column("side"), Column("what", is_prose=True)], rows),
        records=[
            {"code": finding.code, "side": finding.side, "video": name, "detail": detail, "message": finding.message}
            for finding in findings
            for name, detail in (finding.videos or {"": ""}).items()
        ],
        to_json=checkup.to_json,
    )


def _contents(side: Contents) -> Iterator[tuple[str, str]]:
    """Yield what the paper's table of datasets has of a side, and what else a score depends on."""
    yield "videos", str(side.videos) + ("" if side.decoded == side.videos else f", {side.decoded} of which decode")
    if side.mean_frames is not None:
        yield "frames", f"{side.mean_frames:.1f} in the mean"
    if side.mean_seconds is not None and side.hours is not None:
        known = "" if side.timed == side.decoded else f", of the {counted(side.timed, 'video')} whose time is known"
        yield "length", f"{side.mean_seconds:.1f} seconds in the mean, {side.hours:.2f} hours in all{known}"
    codecs = {"none, arrays" if codec == RAW else codec: count for codec, count in side.codecs.items()}
    kinds = {"fps": side.fps, "size": side.sizes, "codec": codecs, "pixels": side.pixel_formats}
    for name, counts in (kinds | {"JPEG quality": side.jpeg_qualities}).items():
        if counts:
            yield name, _values(counts, side.decoded)
    if side.folders:
        least, most = min(side.folders.values()), max(side.folders.values())
        videos = counted(most, "video") if least == most else f"{least} to {most} videos"
        yield "folders", f"{len(side.folders)} of {videos}, such as classes or speakers"
    for number, need in enumerate(side.needs):
        yield "" if number else "long enough", _need(need, side.videos)


def _need(need: Need, videos: int) -> str:
    where = "" if need.side == "both" else f" as the {need.side} side"
    frames = counted(need.frames, "frame")
    return f"{need.videos} of {videos} for {need.protocol}{where}, which needs {frames}"


def _lengths(side: Contents) -> Grid:
    """Show the histogram of lengths."""
    most = max(side.lengths.counts, default=0)
    rows = []
    for low, high, count in zip(side.lengths.edges, side.lengths.edges[1:], side.lengths.counts, strict=False):
        name = str(low) if high == low + 1 else f"{low} to {high - 1}"
        rows.append([name, str(count), "█" * -(-_BAR_WIDTH * count // most)])
    return Grid([Column("frames", is_number=True), Column("videos", is_number=True), Column("")], rows)


def _values(counts: Mapping[str, int], videos: int) -> str:
    """Return the most frequent values, each with its number of videos; one that all of them have comes alone."""
    if list(counts.values()) == [videos]:
        return next(iter(counts))
    return most_frequent(counts, _MOST_VALUES)
