"""Sections that the pages of several commands have: the clips, the findings, maps, motion, numbers and origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

import numpy as np

from fvd_bench.evaluation.details.exhibits import Exhibits, Listed
from fvd_bench.evaluation.result import Result
from fvd_bench.finding import Finding, messages
from fvd_bench.inspection.motion import SideMotion
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES, Side
from fvd_bench.reports.cells import clips_or_blank, over_splits
from fvd_bench.reports.charts.score_charts import count_chart
from fvd_bench.reports.charts.video_charts import change_chart, distance_chart, energy_chart, map_chart
from fvd_bench.reports.page.page import (
    Block,
    Card,
    Cards,
    Charts,
    Code,
    Details,
    Items,
    Section,
    Strip,
    Table,
    Words,
)
from fvd_bench.reports.page.protocol_words import protocol_words
from fvd_bench.reports.scores import unknown
from fvd_bench.words import counted, duration, number, ordinal, percent, span

WHAT_STRIPS_SHOW = (
    "Swapped colours, black frames and a wrong range of values are seen here, and in no number. These are the frames "
    "after all that the protocol does to them."
)


def title_of(result: Result) -> str:
    """Return the names of both sides, with as much of their paths as tells them apart."""
    real, fake = (PurePath(side.path).parts for side in (result.real, result.fake))
    for parts in range(1, max(len(real), len(fake))):
        if real[-parts:] != fake[-parts:]:
            return f"{'/'.join(fake[-parts:])} against {'/'.join(real[-parts:])}"
    return f"{result.fake.path} against {result.real.path}"


def clip_sections(exhibits: Exhibits | None) -> Iterator[Section]:
    """Yield the sections with clips."""
    if exhibits is None:
        return
    yield Section("What the network saw", list(_strips(exhibits)))
    yield Section("The fakes that hurt most", list(worst_blocks(exhibits)))
    yield Section("Real videos that nothing covers", list(_uncovered(exhibits)))


def _strips(exhibits: Exhibits) -> Iterator[Block]:
    yield Words(WHAT_STRIPS_SHOW, is_soft=True)
    for side in SIDES:
        yield from strip(exhibits, side, side)
    yield from steps([exhibits])


def strip(exhibits: Exhibits, side: Side, title: str) -> Iterator[Block]:
    """Yield some clips of a side, or why there are none."""
    if side in exhibits.absent:
        yield Words(exhibits.absent[side])
    elif clips := exhibits.clips.get(side):
        yield Strip(title, side, clips)


def steps(exhibits: Sequence[Exhibits]) -> Iterator[Block]:
    """Say which frames of the clips are shown, if these are not all."""
    found = {clip.step for shown in exhibits for clips in shown.clips.values() for clip in clips if clip.step > 1}
    if found:
        yield Words(f"Every {', '.join(map(ordinal, sorted(found)))} frame of a clip is shown.", is_soft=True)


def worst_blocks(exhibits: Exhibits) -> Iterator[Block]:
    """Yield the fakes that make the score worse the most, each beside the nearest real clip; nothing where none do."""
    if not exhibits.worst:
        return
    score = exhibits.score
    if exhibits.shares is None:
        yield Words("What each video adds to this score is not known: these are the furthest from any real one.")
    else:
        total = sum(listed.share or 0.0 for listed in exhibits.worst)
        yield Words(
            f"Left out, each of them would {'lower' if score.lower_is_better else 'raise'} {score.metric.upper()} of "
            f"{score.protocol} by about the part that it bears, all {len(exhibits.worst)} together by "
            f"{percent(abs(total), '.1%')} of it. Beside each is the nearest real clip." + _usual(exhibits),
            is_soft=True,
        )
    yield Cards([_card(rank, "fake", listed) for rank, listed in enumerate(exhibits.worst, start=1)])


def _uncovered(exhibits: Exhibits) -> Iterator[Block]:
    if exhibits.num_uncovered is None:
        return
    alone, total = exhibits.num_uncovered
    yield Words(
        f"{counted(alone, 'real video', 'have', of=total)} no fake as near as the fifth neighbour of the same "
        "kind." + (" These are the loneliest, each beside the nearest fake." if alone else "") + _usual(exhibits),
        is_soft=True,
    )
    if exhibits.uncovered:
        yield Cards([_card(rank, "real", listed) for rank, listed in enumerate(exhibits.uncovered, start=1)])


def _usual(exhibits: Exhibits) -> str:
    """Say what distance is usual among the reals."""
    reals = exhibits.points.get("real")
    if reals is None or reals.own is None:
        return ""
    return f" Reals are {number(float(np.median(reals.own.distance)))} from their nearest (median)."


def _card(rank: int, side: Side, listed: Listed) -> Card:
    clips = [(side, listed.clip)]
    if listed.nearest is not None:
        clips.append((OTHER_SIDE[side], listed.nearest))
    share = "" if listed.share is None else f" · {percent(listed.share, '+.2%')}"
    distance = "" if listed.distance is None else f"distance {number(listed.distance)}"
    return Card(f"{rank}{share}", clips, distance)


def remaining_sections(
    result: Result, exhibits: Exhibits | None, findings: Sequence[Finding] | None = None
) -> Iterator[Section]:
    """Yield all sections from the findings on, which the pages of all results have.

    findings: what was found. None for the findings of the result alone.
    """
    found = messages(result.warnings if findings is None else findings)
    yield Section("Findings", [Items(found)] if found else [])
    if exhibits is not None:
        places = [chart for chart in (map_chart(exhibits), distance_chart(exhibits)) if chart]
        yield Section("Where the videos lie", [Charts(places)] if places else [])
    yield Section("Motion", list(_motion(result, exhibits)))
    if exhibits is not None and exhibits.subset_scores:
        yield Section("The score at fewer videos, and at infinity", list(_counts(exhibits)))
    yield Section("All numbers", list(_numbers(result)))
    yield Section("How it was made", list(origin_blocks({"fake": result})))


def _motion(result: Result, exhibits: Exhibits | None) -> Iterator[Block]:
    if exhibits is not None:
        charts = [chart for chart in (energy_chart(exhibits.motions), change_chart(exhibits.motions)) if chart]
        if charts:
            yield Charts(charts)
    if result.motion is not None:
        yield from motion_table({"real": result.motion.real, "fake": result.motion.fake})


def motion_table(sides: Mapping[str, SideMotion]) -> Iterator[Block]:
    """Yield how sides move, as a table with a row for each. sides: name -> motion."""
    rows = []
    for name, side in sides.items():
        numbers = [*map(number, (side.mean, side.median, side.spread)), *map(percent, (side.still, side.looping))]
        rows.append([name, *numbers, str(side.videos)])
    head = ("side", "mean energy", "median", "spread", "stand still", "loop", "videos")
    yield Table(head, rows, numbers=range(1, 7))
    yield Words("Energy: mean change from frame to frame, in grey levels of 0 to 255.", is_soft=True)


def _counts(exhibits: Exhibits) -> Iterator[Block]:
    score = exhibits.score
    yield Words(
        "A distance of few videos is too large, by an amount that falls with their number. Compare it only with scores "
        "at the same number. Random parts of both sides show how fast it falls here."
        + (f" No value at infinity: {score.unknown['infinite']}." if "infinite" in score.unknown else ""),
        is_soft=True,
    )
    videos = min(len(points.videos) for points in exhibits.points.values())
    yield Charts([count_chart(score, exhibits.subset_scores, videos=videos)])


def _numbers(result: Result) -> Iterator[Block]:
    yield Table(
        ("protocol", "metric", "score", "± std", "95 % interval", "floor", "at infinity", "clips"),
        [
            (
                f"{score.protocol}@{score.protocol_version}" + (f" · {score.row}" if score.row else ""),
                f"{score.metric.upper()} {'↓' if score.lower_is_better else '↑'}",
                number(score.value),
                number(score.std),
                span(score.interval),
                number(score.floor.value if score.floor else None),
                number(score.infinite.value if score.infinite else None),
                clips_or_blank(score),
            )
            for score in result.scores
        ],
        numbers=range(2, 8),
    )
    if apart := [f"{s.protocol}: {s.metric.upper()} {over_splits(s)}" for s in result.scores if s.splits]:
        yield Items(apart)
    reasons = [f"{s.protocol}: no {s.metric.upper()}: {s.reason}" for s in result.scores if s.value is None]
    if reasons := [*reasons, *unknown(result.scores)]:
        yield Items(reasons)
    yield from skipped_details(result)


def skipped_details(result: Result, name: str = "") -> Iterator[Block]:
    """Yield the skipped videos, folded away. name: of the generator, in a ranking."""
    sides = [(side, count) for s in result.scores for side, count in (("real", s.real), ("fake", s.fake))]
    skipped = dict.fromkeys((side, left.video, left.reason) for side, count in sides for left in count.skipped)
    if skipped:
        summary = f"{f'{name}: ' if name else ''}{counted(len(skipped), 'skipped video')}"
        yield Details(summary, [Table(("side", "video", "reason"), list(skipped))])


def origin_blocks(results: Mapping[str, Result]) -> Iterator[Block]:
    """Yield how results against one real side were made. results: what the fake side is called -> result."""
    first = next(iter(results.values()))
    sides = {"real": first.real, **{name: result.fake for name, result in results.items()}}
    yield Table(
        ("side", "path", "kind", "videos", "fingerprint"),
        [(name, s.path, s.kind, str(s.videos), s.fingerprint[:12]) for name, s in sides.items()],
        numbers=(3,),
    )
    scores = [score for result in results.values() for score in result.scores]
    yield Words("Signatures name every choice that moves a score:", is_soft=True)
    yield Code(list(dict.fromkeys(score.signature for score in scores)))
    made: dict[str, dict[str, None]] = {}
    for score in scores:
        made.setdefault(score.digest, {})[f"{score.metric.upper()}, {score.protocol}"] = None
    protocols = {digest: choices for result in results.values() for digest, choices in result.protocols.items()}
    for digest, choices in protocols.items():
        rows = [(key, str(value)) for key, value in choices.items()]
        said = Items(protocol_words(choices))
        yield Details(f"{', '.join(made.get(digest, {}))} ({digest[:12]})", [said, Table(("choice", "value"), rows)])
    yield Details("Weights and software", [Table(("", ""), [*first.weights.items(), *first.environment.items()])])
    seconds = max(result.seconds for result in results.values())
    yield Words(f"Scored by fvd-bench {first.fvd_bench} in {duration(seconds)}.", is_soft=True)
