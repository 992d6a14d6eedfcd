"""Videos against their originals, for people: the scores, the pairs one by one, and curves over the frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType

from fvd_bench.estimate import ends
from fvd_bench.evaluation.details.per_video import spreadsheet_text
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.studies.curves import Curve, Panel, Point
from fvd_bench.paired.result import FrameCurve, PairedResult, PairedScore
from fvd_bench.reports.cells import number_or_blank, span_or_blank
from fvd_bench.reports.formats import Report, csv_text
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.reports.scores import beware
from fvd_bench.words import number

_MARKED = 4
"""Frames of a curve that are told beside a score, the first and the last among them."""


def paired_report(result: PairedResult) -> Report:
    """Report a result: a row for each score, what the worst finding is, and why there is no rFVD."""
    grid = paired_grid({"": result})
    parts: list[RenderableType] = [grid]
    parts += [Prose(text, label=f"{name}  ") for name, text in _notes(result)]
    fvd = result.rfvd.scores if result.rfvd else ()
    return Report(
        text=Group(*parts),
        grid=grid,
        records=[*(score.flat() for score in result.scores), *map(_as_paired, fvd)],
        to_json=result.to_json,
        scores=[*(score.value for score in result.scores), *(score.value for score in fvd)],
        signatures=[
            *(score.signature for score in result.scores if score.value is not None),
            *(score.signature for score in fvd if score.value is not None),
        ],
    )


def frames_report(results: Mapping[str, PairedResult]) -> Report:
    """Report results by name: the scores, and as records for programs every point of every curve."""
    grid = paired_grid(results)
    records = [
        {
            "result": curve.name,
            "protocol": panel.protocol,
            "metric": panel.metric,
            "frame": int(point.at),
            "value": point.value,
            **ends("interval", point.interval),
            "videos": point.clips,
        }
        for panel in frame_panels(results)
        for curve in panel.curves
        for point in curve.points
    ]
    return Report(text=grid, grid=grid, records=records, to_json=lambda: json.dumps(records, indent=2) + "\n")


def paired_grid(results: Mapping[str, PairedResult], *, with_reasons: bool = True) -> Grid:
    """Show the scores of results by name, a row each. with_reasons: whether a column says why there is no score."""
    columns = [
        Column("result"),
        Column("metric"),
        Column("protocol"),
        Column("score", is_number=True, style="bold"),
        Column("95 % interval", is_number=True),
        Column("of real", is_number=True),
        Column("along the video", is_number=True),
        Column("pairs", is_number=True),
        Column("frames", is_number=True),
        Column("skipped", is_number=True),
        Column("why there is none", is_prose=True),
    ]
    rows = [[name, *row] for name, result in results.items() for row in _rows(result)]
    return Grid(columns, rows) if with_reasons else Grid(columns[:-1], [row[:-1] for row in rows])


def missing_scores(result: PairedResult) -> Iterator[str]:
    """Say of each score that there is none of why that is so."""
    for metric, protocol, *_, reason in _rows(result):
        if reason:
            yield f"{protocol}: no {metric.partition(' ')[0]}: {reason}"


def frame_panels(results: Mapping[str, PairedResult]) -> list[Panel]:
    """Return a panel for each metric of each protocol, with a curve over the frames for each result by its name."""
    found: dict[tuple[str, str, bool], list[Curve]] = {}
    for name, result in results.items():
        for score in result.scores:
            if score.value is not None and score.curve is not None:
                key = score.metric, score.protocol, score.lower_is_better
                found.setdefault(key, []).append(Curve(name, tuple(_points(score.curve))))
    return [
        Panel(metric, protocol, "frame", True, tuple(curves), "frame", stated_lower_is_better=lower, from_zero=lower)
        for (metric, protocol, lower), curves in found.items()
    ]


def pairs_csv(result: PairedResult) -> str:
    """Write a row for each pair, with a column for each score. Names are escaped as on a terminal."""
    rows = [pair.flat() for pair in result.pairs]
    return csv_text([row | {side: spreadsheet_text(str(row[side])) for side in ("real", "fake")} for row in rows])


def _points(curve: FrameCurve) -> Iterator[Point]:
    columns = zip(curve.values, curve.intervals, curve.videos, strict=True)
    for frame, (value, interval, videos) in enumerate(columns, start=curve.start):
        yield Point(float(frame), str(frame), value, interval, None, videos)


def _rows(result: PairedResult) -> Iterator[list[str]]:
    for score in result.scores:
        yield [
            _heading(score.metric, lower=score.lower_is_better),
            f"{score.protocol}@{score.protocol_version}",
            number(score.value),
            span_or_blank(score.interval),
            number_or_blank(score.of_real),
            _along(score),
            str(score.pairs),
            str(score.frames),
            str(len(score.skipped) or ""),
            score.reason or "",
        ]
    for fvd in result.rfvd.scores if result.rfvd else ():
        yield [
            _heading(f"r{fvd.metric.upper()}", lower=fvd.lower_is_better),
            f"{fvd.protocol}@{fvd.protocol_version}",
            number(fvd.value),
            span_or_blank(fvd.interval),
            *("", ""),
            str(fvd.fake.clips),
            "",
            str(len(fvd.fake.skipped) or ""),
            fvd.reason or "",
        ]


def _heading(metric: str, *, lower: bool) -> str:
    name = metric if metric.startswith("r") else metric.upper() if metric != "flickering" else metric
    return f"{name} {'↓' if lower else '↑'}"


def _along(score: PairedScore) -> str:
    """Return the values at some frames, from the first to the last: whether it gets worse."""
    known = [value for value in score.curve.values if value is not None] if score.curve else []
    if len(known) < _MARKED:
        return ""
    return " ".join(number(known[place * (len(known) - 1) // (_MARKED - 1)]) for place in range(_MARKED))


def _notes(result: PairedResult) -> Sequence[tuple[str, str]]:
    reason = [("no rFVD", result.rfvd_reason)] if result.rfvd_reason else []
    return [*reason, *beware(result.findings)]


def _as_paired(score: Score) -> dict[str, object]:
    """Return a score of rFVD as a row among those of pairs."""
    return {
        "metric": f"r{score.metric}",
        "protocol": score.protocol,
        "protocol_version": score.protocol_version,
        "digest": score.digest,
        "signature": score.signature,
        "value": score.value,
        "reason": score.reason,
        "of_real": None,
        "lower_is_better": score.lower_is_better,
        "pairs": score.fake.clips,
        "frames": None,
        "skipped": len(score.fake.skipped),
        **ends("interval", score.interval),
    }
