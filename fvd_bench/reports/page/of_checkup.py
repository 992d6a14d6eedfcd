"""The page of an inspection: what is in the sides, and every defect of every video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fvd_bench.evaluation.details.shown_clips import ShownClip
from fvd_bench.inspection.checkup import Checkup
from fvd_bench.inspection.summary import Contents
from fvd_bench.reports.cells import most_frequent
from fvd_bench.reports.charts.canvas import Chart, canvas
from fvd_bench.reports.charts.palette import SCORE
from fvd_bench.reports.page.page import Block, Charts, Details, Made, Page, Section, Strip, Table, Verdict, Words
from fvd_bench.words import counted

_MOST_VALUES = 6
"""Values of a fact that are named; the others are counted."""


def checkup_page(
    checkup: Checkup, clips: Mapping[str, Sequence[ShownClip]] | None = None, made: Made | None = None
) -> Page:
    """Make the page of what `checkup.inspect` returns. clips: some clips of each side, by its path."""
    strips = [Strip(path, "ink", shown) for path, shown in (clips or {}).items()]
    return Page(
        title=" against ".join(side.path for side in checkup.sides),
        verdict=_verdict(checkup),
        sections=[
            Section("The first frames", strips),
            Section("Findings", list(_findings(checkup))),
            Section("What is in it", list(_contents(checkup.sides))),
        ],
        made=made or Made(),
    )


def _verdict(checkup: Checkup) -> Verdict:
    videos = sum(side.videos for side in checkup.sides)
    if not checkup.findings:
        return Verdict("good", f"Nothing is wrong with {counted(videos, 'video')}.")
    second = checkup.sides[-1].path if checkup.sides else None  # whose videos a finding about both sides names
    named = {(finding.side or second, name) for finding in checkup.findings for name in finding.videos}
    what = counted(len(checkup.findings), "finding")
    return Verdict("fair", f"{what} about {counted(len(named), 'video', of=videos)}." if named else f"{what}.")


def _findings(checkup: Checkup) -> Iterator[Block]:
    for finding in checkup.findings:
        where = f"{finding.side}: " if finding.side and len(checkup.sides) > 1 else ""
        if finding.videos:
            rows = list(finding.videos.items())
            yield Details(f"{where}{finding.message}", [Table(("video", "detail"), rows)])
        else:
            yield Words(f"{where}{finding.message}")


def _contents(sides: Sequence[Contents]) -> Iterator[Block]:
    facts = {
        "form": [side.kind for side in sides],
        "videos": [str(side.videos) for side in sides],
        "of these decode": [str(side.decoded) for side in sides],
        "of these have a length in time": [str(side.timed) for side in sides],
        "hours": [_number(side.hours) for side in sides],
        "mean length in frames": [_number(side.mean_frames) for side in sides],
        "mean length in seconds": [_number(side.mean_seconds) for side in sides],
        "frames a second": [_counts(side.fps) for side in sides],
        "sizes": [_counts(side.sizes) for side in sides],
        "codecs": [_counts(side.codecs) for side in sides],
        "pixel formats": [_counts(side.pixel_formats) for side in sides],
        "JPEG qualities": [_counts(side.jpeg_qualities) for side in sides],
        "folders, such as classes": [str(len(side.folders) or "–") for side in sides],
    }
    yield Table(("", *(side.path for side in sides)), [[name, *values] for name, values in facts.items()])
    charts = [_lengths(side) for side in sides if len(side.lengths.counts) > 1]
    if charts:
        yield Charts(charts)
    needs = [[n.protocol, n.side, str(n.frames), side.path, str(n.videos)] for side in sides for n in side.needs]
    if needs:
        head = ("protocol", "its side", "frames that a video needs", "videos of", "long enough")
        yield Table(head, needs, numbers=(2, 4))


def _lengths(side: Contents) -> Chart:
    described = f"lengths of the videos: {side.lengths.edges[0]} to {side.lengths.edges[-1]} frames"
    with canvas(described, height=190, left=46) as drawn:
        drawn.axes.stairs(side.lengths.counts, side.lengths.edges, fill=True, color=SCORE)
        drawn.axes.set_xlabel("length in frames")
        drawn.axes.set_ylabel("videos")
        drawn.axes.locator_params(axis="y", integer=True)
    return Chart(drawn.svg, side.path, {})


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _counts(counts: Mapping[str, int]) -> str:
    """Write the most frequent values, each with its number of videos."""
    return most_frequent(counts, _MOST_VALUES) or "–"
