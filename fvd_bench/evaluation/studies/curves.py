"""Scores along something: over the checkpoints of a training run, or over the windows of long videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvd_bench.errors import ResultError
from fvd_bench.estimate import Estimate
from fvd_bench.evaluation import window_scores
from fvd_bench.evaluation.comparisons.ranking import is_ranked
from fvd_bench.evaluation.comparisons.result_files import alike, holds_several, read_all
from fvd_bench.evaluation.result import Result, read_text
from fvd_bench.evaluation.score import Score
from fvd_bench.metrics import METRICS
from fvd_bench.paths import distinct_names, user_path
from fvd_bench.protocols.windows import first_frame
from fvd_bench.records import json_object, record

LOG = "log.jsonl"
"""The log in the folder of a training run: a JSON object per line, with `kimg`. Where it was scored, also with `fvd`,
the `protocol`, and the number of generated `clips`, which a run may change on its way."""

_DIGITS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Point:
    """A score at a place of a curve.

    at: its place on the axis. name: of the checkpoint or window. value: None where there is no score.
    clips: number of fake clips behind it, None where that is not known.
    """

    at: float
    name: str
    value: float | None
    interval: tuple[float, float] | None
    floor: Estimate | None
    clips: int | None


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores of one generator, in order. name: empty where there is one curve alone."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves of one metric under one protocol, on one pair of axes.

    protocol: empty where it is not known. along: what a point is, such as a checkpoint. is_scale: whether places on the
    axis are numbers, in which case distances mean something; else they are an order. axis: what these numbers are,
    empty for those of `along`. stated_lower_is_better: None where the metric says it. from_zero: whether a drawing
    begins at zero, where no value is below.
    """

    metric: str
    protocol: str
    along: str
    is_scale: bool
    curves: tuple[Curve, ...]
    axis: str = ""
    stated_lower_is_better: bool | None = None
    from_zero: bool = True

    @property
    def lower_is_better(self) -> bool:
        if self.stated_lower_is_better is not None:
            return self.stated_lower_is_better
        return self.metric not in METRICS or METRICS[self.metric].lower_is_better


def read(files: Sequence[Path]) -> list[Panel]:
    """Read results, rankings, and the folders or logs of training runs, and put each score where it belongs.

    Results are checkpoints, in the order of the number in which their names differ, or else as they are given. Those of
    a ranking are checkpoints only where there is such a number. Results that have scores of windows give a curve over
    these as well.

    Raises ResultError, and NotComparableError where results were not made alike.
    """
    logs = [file for file in files if user_path(file).is_dir() or file.suffix == ".jsonl"]
    others = [file for file in files if file not in logs]
    results = {name: entrant.result for name, entrant in read_all(others).items()} if others else {}
    panels = [*_over_training(logs), *over_windows(results)]
    rankings = [file for file in others if holds_several(file)]
    if len(results) > 1 and (not rankings or _numbered(results)):
        panels += _over_checkpoints(results)
    if not panels and rankings:
        raise ResultError(
            f"{', '.join(map(str, rankings))}: a ranking of generators that differ in no number is no curve: "
            "`fvd-bench compare … --html FILE` shows it"
        )
    if not panels:
        raise ResultError(
            f"{', '.join(results)} is one score and no curve: give the results of several checkpoints, a run's folder, "
            "or a result of `fvd-bench compute … --windows N`"
        )
    return panels


def _numbered(results: Mapping[str, Result]) -> list[float] | None:
    """Return the number in which the names of results, or else the paths of their fake sides, differ; None without
    one."""
    return _places(list(results)) or _places([result.fake.path for result in results.values()])


def _over_checkpoints(results: Mapping[str, Result]) -> list[Panel]:
    names, places = list(results), _numbered(results)
    along = (_label(names[0], names[-1]) if _places(names) else "") or "checkpoint"
    whole, _ = alike(results)
    panels = []
    for scores in filter(lambda scores: is_ranked(scores[0]), whole):
        at = places or [float(place) for place in range(len(names))]
        points = sorted(map(_point, at, names, scores), key=lambda point: point.at)
        score = scores[0]
        curve = Curve("", tuple(points))
        panels.append(Panel(score.metric, _protocol(score), along, places is not None, (curve,)))
    return panels


def over_windows(results: Mapping[str, Result]) -> list[Panel]:
    """Return a panel for each metric and protocol whose windows were scored. results: name -> result."""
    found: dict[tuple[str, str], list[Curve]] = {}
    for name, result in results.items():
        for key, scores in window_scores.curves(result.scores).items():
            points = (_point(first_frame(str(s.row)), window_scores.frames(s), s) for s in scores)
            found.setdefault(key, []).append(Curve(name if len(results) > 1 else "", tuple(points)))
    axis = "frame at which a window begins"
    return [Panel(*key, "window", True, tuple(curves), axis) for key, curves in found.items()]


def _over_training(logs: Sequence[Path]) -> list[Panel]:
    found: dict[tuple[str, str], list[Curve]] = {}
    for name, log in zip(distinct_names([str(log) for log in logs]), logs, strict=True):
        file = user_path(log) / LOG if user_path(log).is_dir() else user_path(log)
        if user_path(log).is_dir() and not file.exists():
            raise ResultError(f"{log} is a folder without a {LOG}: expected results as JSON, or the folder of a run")
        lines = [line for line in map(json_object, read_text(file).splitlines()) if line]  # the last may be cut off
        of_run: dict[tuple[str, str], list[Point]] = {}
        for line in (line for line in lines if "kimg" in line):
            for metric in filter(line.__contains__, METRICS):
                of_run.setdefault((metric, _scored_by(line)), []).append(_logged(line, metric))
        if not of_run:
            raise ResultError(f"{file} has no scores: `stylegan-v train --fvd-kimg` writes them")
        for key, points in sorted(of_run.items()):
            found.setdefault(key, []).append(Curve(name if len(logs) > 1 else "", tuple(points)))
    along = "thousands of frames seen in training"
    return [Panel(*key, along, True, tuple(curves)) for key, curves in found.items()]


def _point(at: float, name: str, score: Score) -> Point:
    return Point(at, name, score.value, score.interval, score.floor, score.fake.clips)


def _protocol(score: Score) -> str:
    return score.protocol + (f", {score.row}" if score.row else "")


def _places(names: Sequence[str]) -> list[float] | None:
    """Return the number in which names differ, for each; None where they differ in more than one number."""
    if len({_DIGITS.sub("#", name) for name in names}) > 1:
        return None
    columns = list(zip(*map(_DIGITS.findall, names), strict=True))
    differing = [column for column in columns if len(set(column)) > 1]
    if len(differing) != 1 or len(set(map(float, differing[0]))) < len(names):
        return None
    return list(map(float, differing[0]))


def _label(first: str, last: str) -> str:
    """Return the word before or after the number in which names differ, such as `step` of step-5000."""
    for one, other in zip(_DIGITS.finditer(first), _DIGITS.finditer(last), strict=True):
        if one[0] != other[0]:
            before = re.search(r"([A-Za-z]+)[-_ .=]*$", first[: one.start()])
            after = re.match(r"[-_ .]*([A-Za-z]+)", first[one.end() :])
            return (before or after or [""] * 2)[1]
    return ""


def _scored_by(line: Mapping[str, Any]) -> str:
    """Return the protocol and the number of clips of a line of a log, empty where an older version wrote it: scores of
    others are no points of one curve."""
    return f"{line['protocol']}, {line.get('clips')} clips" if isinstance(line.get("protocol"), str) else ""


def _logged(line: Mapping[str, Any], metric: str) -> Point:
    interval, floor_interval = _pair(line, metric), _pair(line, f"{metric}_floor")
    floor = _number(line, f"{metric}_floor")
    kimg = _number(line, "kimg")
    if kimg is None:
        raise ResultError(f"a line of a log has kimg = {line['kimg']!r:.60}: expected a number")
    return Point(
        at=kimg,
        name=f"{kimg:g} kimg",
        value=_number(line, metric),
        interval=interval,
        floor=Estimate(floor, floor_interval) if floor is not None and floor_interval is not None else None,
        clips=clips if isinstance(clips := line.get("clips"), int) else None,
    )


def _pair(line: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    low, high = _number(line, f"{name}_low"), _number(line, f"{name}_high")
    return None if low is None or high is None else (low, high)


def _number(line: Mapping[str, Any], name: str) -> float | None:
    try:
        return float(record(float, line.get(name), name))
    except ValueError:
        return None
