"""Each video of both sides by itself: how much it moves the score, what it is near to, how it moves, what was found."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from fvd_bench.errors import MetricError
from fvd_bench.escapes import escaped, is_formula
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.points import Points
from fvd_bench.evaluation.result import Result
from fvd_bench.inspection.motion import Motion
from fvd_bench.metrics.uncertainty import Sides, influences
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES, Side


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One video under one metric of one protocol, in the first repeat.

    influence: by how much the score would fall if the video were left out, more than without an average video, to first
    order. Those of a side add up to 0. None for metrics and rules that do not tell.
    nearest_other, distance_other: the nearest video of the other side, and its Euclidean distance in feature space. A
    video of several clips or frames stands at the mean of their features.
    nearest_own, distance_own: the nearest of the other videos of its own side.
    motion: mean change from frame to frame, in grey levels of 0 to 255, see `Motion.energy`.
    findings: the codes of all findings that name the video.
    Each of them but the last is None where it is not known, as for videos that were skipped.
    """

    protocol: str
    metric: str
    side: Side
    video: str
    influence: float | None = None
    nearest_other: str | None = None
    distance_other: float | None = None
    nearest_own: str | None = None
    distance_own: float | None = None
    motion: float | None = None
    findings: tuple[str, ...] = ()


def all_videos(collection: Collection, result: Result) -> list[VideoRecord]:
    """Return what `per_video` does, with the motion of all videos.

    In a run of several processes all of them have to call it, and the first gets the records. Raises CacheError.
    """
    evaluation = collection.evaluation
    motions = {side: evaluation.motions(side, most=None) for side in SIDES}
    if not evaluation.share.is_first:
        return []
    return per_video(collection, result, motions)


def per_video(
    collection: Collection, result: Result, motions: Mapping[Side, Mapping[int, Motion]]
) -> list[VideoRecord]:
    """Return one record for each protocol, metric, side and video, in the order of the listing.

    motions: how the videos of each side move by their index, as far as that is known.
    Videos that the protocol does not ask for are left out, and so are sides of which only moments are known, and the
    rows of tables. Raises CacheError.
    """
    evaluation = collection.evaluation
    records: list[VideoRecord] = []
    for protocol in evaluation.protocols:
        if protocol in evaluation.unserved or protocol in evaluation.rows:
            continue
        sides = collection.sides(protocol, grouped=False)
        points = collection.points(protocol)
        of_protocol = {side: dict(_placed(collection, protocol, side, points, motions)) for side in SIDES}
        for metric in protocol.metric.names:
            added = _influences(metric, sides, protocol)
            for side, placed in of_protocol.items():
                parts = added[side] or {}
                for index, record in sorted(placed.items()):
                    codes = _codes(result, record)
                    records.append(replace(record, metric=metric, influence=parts.get(index), findings=codes))
    return records


def records_csv(records: Sequence[VideoRecord]) -> str:
    """Write records as CSV with a header, one line each. Numbers are written in full, and what is not known is empty.

    Names are escaped as on a terminal, and one that a spreadsheet would take for a formula is written as ./NAME.
    """
    return _csv([], [([], record) for record in records])


def ranking_csv(records: Mapping[str, Sequence[VideoRecord]]) -> str:
    """Write the records of several generators as `records_csv` does, with a first column that names the generator."""
    return _csv(["generator"], [([name], record) for name, of_one in records.items() for record in of_one])


def _csv(head: list[str], rows: Sequence[tuple[list[str], VideoRecord]]) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    names = [field.name for field in fields(VideoRecord)]
    table.writerow([*head, *names])
    for first, record in rows:
        values = [*first, *(getattr(record, name) for name in names[:-1]), " ".join(record.findings)]
        table.writerow([spreadsheet_text(value) if isinstance(value, str) else value for value in values])
    return out.getvalue()


def spreadsheet_text(text: str) -> str:
    """Escape a name as on a terminal, and write it as ./NAME where a spreadsheet would take it for a formula."""
    shown = escaped(text)
    return f"./{shown}" if is_formula(shown) else shown


def _influences(metric: str, sides: Sides, protocol: Protocol) -> dict[Side, dict[int, float] | None]:
    try:
        return influences(metric, sides, protocol.metric)
    except MetricError:  # the score has no value either, and says why
        return dict.fromkeys(SIDES)


def _placed(
    collection: Collection,
    protocol: Protocol,
    side: Side,
    points: Mapping[Side, Points],
    motions: Mapping[Side, Mapping[int, Motion]],
) -> Iterator[tuple[int, VideoRecord]]:
    """Yield the index and the record, without a metric, of each video that was used or skipped."""
    evaluation = collection.evaluation
    if evaluation.sides[side].given.known is not None:
        return
    jobs = {of: evaluation.jobs(protocol, of)[0] for of in SIDES}
    reads = {of: job.draw.reads for of, job in jobs.items()}
    names = {of: evaluation.sources[source].names for of, source in reads.items()}
    blank = VideoRecord(protocol.name, "", side, "")
    skipped = collection.collected[jobs[side]].skipped
    for index, name in enumerate(names[side]):
        if name in skipped:
            yield index, replace(blank, video=name)
    here, there = points.get(side), points.get(OTHER_SIDE[side])
    if here is None:
        return
    for place, index in enumerate(here.videos):
        found = replace(blank, video=names[side][index])
        if here.other is not None and there is not None:
            other = names[OTHER_SIDE[side]][there.videos[here.other.index[place]]]
            found = replace(found, nearest_other=other, distance_other=float(here.other.distance[place]))
        if here.own is not None:
            own = names[side][here.videos[here.own.index[place]]]
            found = replace(found, nearest_own=own, distance_own=float(here.own.distance[place]))
        motion = motions[reads[side]].get(index)
        yield index, replace(found, motion=None if motion is None else motion.energy)


def _codes(result: Result, record: VideoRecord) -> tuple[str, ...]:
    found = (f.code for f in result.warnings if record.video in f.videos and f.side in (record.side, None))
    return tuple(dict.fromkeys(found))
