"""What a run sees of its two sides without decoding: digests that it has anyway, and the headers of some videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fvd_bench.errors import VideoError
from fvd_bench.features.given import Given
from fvd_bench.finding import Finding, of_side
from fvd_bench.inspection import faults
from fvd_bench.inspection.faults import Appearance
from fvd_bench.inspection.motion_of_sides import evenly_spaced
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.probe import probe

MOST_VIDEOS = 64
"""The most headers that are read per side, whatever the number of videos. Each takes 2 to 10 ms."""

_WHO = ("real videos", "fake videos")


def header_findings(
    sides: Mapping[Side, Given], contents: Mapping[Side, Mapping[int, str]], *, workers: int
) -> list[Finding]:
    """Find duplicates within and between the sides, and sizes, rates and codecs that do not agree.

    contents: index -> digest of a video's contents, for videos that could be read.
    """
    files = [{sides[side].source.names[i]: digest for i, digest in sorted(contents[side].items())} for side in SIDES]
    seen = [_seen(sides[side], workers=workers) for side in SIDES]
    found: list[Finding] = []
    for side, who, digests in zip(SIDES, _WHO, files, strict=True):
        found += of_side(side, faults.duplicates(who, digests, of="files"))
    if set(files[0].values()) != set(files[1].values()):  # else the sides are the same, which is reported elsewhere
        found += faults.shared(*files, of="files", who=_WHO)
    for side, who, some in zip(SIDES, _WHO, seen, strict=True):
        sample = _sample(who, len(some), len(sides[side].source.names))
        found += of_side(side, [*faults.uncommon(sample, some), *faults.mixed(sample, some)])
    found += faults.mismatched(*seen, who=_WHO)
    return found


def _sample(who: str, looked: int, total: int) -> str:
    return who if looked == total else f"{who}, of which {looked} of {total} were looked at,"


def _seen(given: Given, *, workers: int) -> Sequence[Appearance]:
    """Look at the headers of up to 64 videos, evenly spaced over the listing; of none without frames."""
    if not given.has_frames:
        return []
    source = given.source

    def work(index: int) -> Iterator[Appearance]:
        try:
            found = probe(source.video(index))
            yield Appearance(source.names[index], found.size, found)
        except VideoError:  # this is reported when the video is used
            yield Appearance(source.names[index], None, None)

    return [seen for _, seen in in_order(evenly_spaced(len(source.names), MOST_VIDEOS), work, workers=workers)]
