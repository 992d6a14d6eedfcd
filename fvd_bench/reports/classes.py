"""Scores by class for people and for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from fvd_bench.estimate import ends
from fvd_bench.evaluation.result import ClassPanel, Result, ScoreByClass
from fvd_bench.reports.cells import number_or_blank, span_or_blank
from fvd_bench.reports.layout import Column, Grid, Prose
from fvd_bench.words import counted, number

CLASS = "class-"
"""How the rows of these scores begin."""

MEAN = "classes-mean"
"""The row of the mean over classes."""


def class_parts(result: Result) -> list[RenderableType]:
    """Show each score by class: a row for each class, the mean over classes, and the score of all videos."""
    if result.classes is None:
        return []
    parts: list[RenderableType] = []
    for score in result.classes.scores:
        parts += [Prose(class_title(score, result.classes)), class_grid(score)]
    return parts


def class_title(score: ScoreByClass, panel: ClassPanel) -> str:
    """Say what the table of `class_grid` is about."""
    return f"{score.metric.upper()} by {score.protocol}, by class ({panel.by}):"


def class_records(result: Result) -> Iterator[dict[str, Any]]:
    """Yield a row of a table for each class and for the mean over classes, in the form of `Score.flat`."""
    if result.classes is None:
        return
    flat = {(s.protocol, s.digest): s.flat() for s in result.scores if s.row is None}
    for score in result.classes.scores:
        of_all = flat[score.protocol, score.digest]
        named = ("protocol", "protocol_version", "metric", "repeats", "seed", "digest", "signature")
        same = dict.fromkeys(of_all) | {key: of_all[key] for key in named}
        for one in score.classes:
            counts = {"real_clips": one.real_clips, "fake_clips": one.fake_clips}
            numbers = {"value": one.value, **ends("interval", one.interval), **counts, "reason": one.reason}
            yield same | {"row": f"{CLASS}{one.name}"} | numbers
        yield same | {"row": MEAN, "value": score.mean}


def class_grid(score: ScoreByClass) -> Grid:
    """Show a score by class."""
    columns = [
        Column("class"),
        Column("score", is_number=True, style="bold"),
        Column("95 % interval", is_number=True),
        Column("videos", is_number=True),
        Column("why there is none", is_prose=True),
    ]
    rows = [
        [
            one.name,
            number_or_blank(one.value),
            span_or_blank(one.interval),
            f"{one.real_videos} + {one.fake_videos}",
            one.reason or "",
        ]
        for one in score.classes
    ]
    scored = sum(one.value is not None for one in score.classes)
    sums = [sum(getattr(one, f"{side}_videos") for one in score.classes) for side in ("real", "fake")]
    rows.append([f"mean over {counted(scored, 'class')}", number_or_blank(score.mean), "", "", ""])
    rows.append(["all videos together", number(score.value), "", "{} + {}".format(*sums), ""])
    return Grid(columns, rows)
