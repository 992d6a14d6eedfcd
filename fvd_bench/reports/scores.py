"""Scores for people: one as a record of a few lines, several as a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fvd_bench.evaluation.comparisons.ranking import is_ranked, is_scale
from fvd_bench.evaluation.result import MotionPanel, Result
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.studies.curves import over_windows
from fvd_bench.evaluation.window_scores import frames, is_window
from fvd_bench.finding import HEADLINES, Finding, worst_first
from fvd_bench.networks import NETWORKS
from fvd_bench.protocols.variants import SCALE
from fvd_bench.reports.cells import clips_or_blank, number_or_blank, over_splits, span_or_blank
from fvd_bench.reports.classes import class_parts, class_records
from fvd_bench.reports.curves import curves_grid, title
from fvd_bench.reports.formats import Report
from fvd_bench.reports.layout import Column, Grid, Prose, Record
from fvd_bench.words import number, percent, span

if TYPE_CHECKING:
    import pandas

_UNKNOWN = {"interval": "interval", "floor": "floor", "infinite": "value at infinity"}
"""What may be unknown about a score, in words."""


def result_report(result: Result) -> Report:
    """Report a result: its scores, what the worst finding is, and how both sides move."""
    scores = [score for score in result.scores if is_ranked(score)]
    scales = [score for score in result.scores if is_scale(score)]
    parts: list[RenderableType] = []
    if len(scores) == 1:
        about = [("motion", motion_text(result.motion))] if result.motion else []
        parts.append(score_record(scores[0], unit=unit(scores[0], result), more=[*about, *beware(result.warnings)]))
    else:
        parts += [score_grid(scores), *map(Prose, unknown(scores))]
        if result.motion:
            parts.append(Prose(motion_text(result.motion), label="motion  "))
        parts += [Prose(text, label=f"{name}  ") for name, text in beware(result.warnings)]
    for panel in over_windows({"": result}):
        parts += [Prose(f"Windows of the fake videos, {title(panel)}:"), curves_grid(panel)]
    parts += [
        Prose(f"{frames(score)}: no {score.metric}: {score.reason}")
        for score in result.scores
        if is_window(score) and score.value is None
    ]
    parts += class_parts(result)
    if scales:
        parts += [Prose("The real videos against themselves, with their motion broken:"), _scale_grid(scales)]
    return Report(
        text=Group(*parts),
        grid=score_grid(scores),
        records=[*(score.flat() for score in result.scores), *class_records(result)],
        to_json=result.to_json,
        scores=[score.value for score in scores],
        signatures=signatures(scores),
    )


def score_frame(result: Result) -> pandas.DataFrame:
    """Return `result.to_frame()`, which this was before results had that method."""
    return result.to_frame()


def score_record(score: Score, *, unit: str, more: Sequence[tuple[str, str]]) -> Record:
    """Show one score. unit: what is counted. more: further fields."""
    title = f"{score.metric.upper()} {number(score.value)}"
    if score.std is not None:
        title += f" ± {number(score.std)}"
    better = "lower is better" if score.lower_is_better else "higher is better"
    fields = [*_certainty(score), ("videos", _counts(score, unit)), *more]
    return Record(title, fields, more=f"{score.protocol}@{score.protocol_version}, {better}")


def score_grid(scores: Sequence[Score]) -> Grid:
    """Show several scores, a row each."""
    columns = [
        Column("protocol"),
        Column("metric"),
        Column("score", is_number=True, style="bold"),
        Column("± std", is_number=True),
        Column("splits", is_number=True),
        Column("95 % interval", is_number=True),
        Column("floor", is_number=True),
        Column("× floor", is_number=True),
        Column("at infinity", is_number=True),
        Column("clips", is_number=True),
        Column("skipped", is_number=True),
        Column("why there is none", is_prose=True),
    ]
    return Grid(columns, [_row(score) for score in scores])


def _row(score: Score) -> list[str]:
    skipped = len(score.real.skipped), len(score.fake.skipped)
    return [
        f"{score.protocol}@{score.protocol_version}",
        f"{score.metric.upper()} {'↓' if score.lower_is_better else '↑'}",
        number(score.value),
        number_or_blank(score.std),
        over_splits(score),
        span_or_blank(score.interval),
        number_or_blank(score.floor),
        _floors(score),
        number_or_blank(score.infinite),
        clips_or_blank(score),
        "{} + {}".format(*skipped) if any(skipped) else "",
        score.reason or "",
    ]


def _certainty(score: Score) -> Iterator[tuple[str, str]]:
    """Yield what is known of the uncertainty of a score, and why the rest is not."""
    if score.splits is not None:
        yield "splits", f"{over_splits(score)}, as papers report it"
    if score.interval is not None:
        yield "95 % interval", span(score.interval)
    if score.floor is not None:
        times = _floors(score)
        yield (
            "floor",
            f"{number(score.floor.value)} ({span(score.floor.interval)}), which real videos score against others of "
            f"their kind{f'; the score is {times} times that' if times else ''}",
        )
    if score.infinite is not None:
        yield "at infinity", f"{number(score.infinite.value)} ({span(score.infinite.interval)}), with ever more videos"
    for what, reason in score.unknown.items():
        yield {"interval": "95 % interval", "infinite": "at infinity"}.get(what, what), f"unknown: {reason}"


def _floors(score: Score) -> str:
    """Return how many floors a score is, empty where that is not known."""
    if score.value is None or score.floor is None or score.floor.value <= 0:
        return ""
    return f"{score.value / score.floor.value:.1f}"


def _counts(score: Score, unit: str) -> str:
    used = f"{score.real.counted()} real and {score.fake.counted()} fake {unit}"
    skipped = {"real": len(score.real.skipped), "fake": len(score.fake.skipped)}
    left_out = " and ".join(f"{count} {side}" for side, count in skipped.items() if count)
    return f"{used}; {left_out} skipped" if left_out else used


def unit(score: Score, result: Result) -> str:
    """Return what a score is made of: clips or single frames, or just features where its network is not here."""
    name = result.protocols.get(score.digest, {}).get("features.extractor", "i3d")
    network = NETWORKS.get(str(name))
    return network.sees if network else "features"


def unknown(scores: Sequence[Score]) -> list[str]:
    """Write a sentence for each reason why something is not known of scores."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for score in scores:
        for what, reason in score.unknown.items():
            name = f"{score.metric.upper()} of {score.protocol}"
            reasons.setdefault((_UNKNOWN.get(what, what), reason), []).append(name)
    everything = len([score for score in scores if score.value is not None])
    return [
        f"no {what}{'' if len(names) == everything else ' for ' + ', '.join(names)}: {reason}"
        for (what, reason), names in reasons.items()
    ]


def motion_text(motion: MotionPanel) -> str:
    """Say how both sides move."""
    sides = motion.real, motion.fake
    still, loops = [percent(side.still) for side in sides], [percent(side.looping) for side in sides]
    text = (
        f"real {number(motion.real.median)}, fake {number(motion.fake.median)} grey levels from frame to frame "
        f"(medians); {still[0]} and {still[1]} stand still"
    )
    return f"{text}, {loops[0]} and {loops[1]} loop" if motion.fake.looping is not None else text


def beware(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return a field that says what the worst finding is and how many others there are; nothing if there are none."""
    worst = worst_first(findings)
    if not worst:
        return []
    others = f", and {len(worst) - 1} more" if len(worst) > 1 else ""
    return [("warning" if len(worst) == 1 else "warnings", HEADLINES.get(worst[0].code, worst[0].code) + others)]


def signatures(scores: Sequence[Score]) -> list[str]:
    """Return one line for each protocol that scored. Where its metrics differ in a field, the field has all of them."""
    of: dict[tuple[str, int], list[list[str]]] = {}
    for score in scores:
        if score.value is not None:
            of.setdefault((score.protocol, score.protocol_version), []).append(score.signature.split("|"))
    lines: list[str] = []
    for parts in of.values():
        if len(set(map(len, parts))) == 1:
            lines.append("|".join(",".join(dict.fromkeys(field)) for field in zip(*parts, strict=True)))
        else:
            lines += ["|".join(fields) for fields in parts]
    return lines


def _scale_grid(scores: Sequence[Score]) -> Grid:
    """Show what broken motion is worth."""
    columns = [
        Column("protocol"),
        Column("motion"),
        Column("metric"),
        Column("score", is_number=True, style="bold"),
        Column("95 % interval", is_number=True),
    ]
    rows = []
    for score in scores:
        assert score.row is not None
        name = score.protocol.removesuffix(score.row).rstrip("-")
        shown = span_or_blank(score.interval)
        broken = score.row.removeprefix(SCALE)
        rows.append([name, broken, score.metric.upper(), number(score.value), shown])
    return Grid(columns, rows)
