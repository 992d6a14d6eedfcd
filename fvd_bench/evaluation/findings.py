"""What a run noticed, and what people should know before they believe its scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from fvd_bench.errors import SourceError
from fvd_bench.estimate import ROUNDING, doubts
from fvd_bench.evaluation import small_sample_bias
from fvd_bench.evaluation.result import MotionPanel
from fvd_bench.evaluation.score import Score, Skipped
from fvd_bench.features.given import OTHER_SHARD
from fvd_bench.features.jobs import Collected, Job
from fvd_bench.finding import Finding, noted, of_side, some, videos_skipped, worst_first
from fvd_bench.inspection import faults
from fvd_bench.inspection.motion_of_sides import findings as motion_findings
from fvd_bench.networks import FeatureExtractor
from fvd_bench.protocols.rules import FeatureRule, MetricRule, Side
from fvd_bench.sources.clip_source import value_range_of
from fvd_bench.videos.frame_times import widest
from fvd_bench.words import agreeing, counted, number, percent, span

_NOTES = {
    "variable-rate": (
        "have",
        "frames in the clips that do not follow each other at equal intervals, which the networks take for equal ones; "
        "write the frames at a constant rate (writers of GIF, animated WebP and animated PNG merge equal frames, "
        "phones and screen recorders leave some out)",
    ),
    "transparent": ("have", faults.TRANSPARENT),
    "odd-images": (
        "hold",
        "images that are not named as the others in their folder and are used as frames; put masks, thumbnails and the "
        "like into folders of their own",
    ),
    "frame-order": ("have", "images whose names leave their order in doubt; name them 000000.png, 000001.png, …"),
}
"""Code of a note on videos -> what a warning says about them, behind a verb."""


class HasNotes(Protocol):
    """What has notes on a side as a whole: its source, or what was noticed of arrays."""

    @property
    def notes(self) -> Sequence[str]: ...


def find(
    sources: Mapping[Side, HasNotes],
    collected: Mapping[Job, Collected],
    scores: Sequence[Score],
    extractors: Mapping[FeatureRule, FeatureExtractor],
    motion: MotionPanel | None,
    damaged_entries: int,
    measured: Mapping[Job, Sequence[MetricRule]],
    known: Mapping[Job, int] = MappingProxyType({}),
) -> list[Finding]:
    """List all findings of a run, each once, the worst first.

    measured: by job, the rules of the metrics that have a value of it, one metric each. known: for jobs of sides
    without videos, how many are behind the features.
    """
    used = {job: side for job, side in collected.items() if job in measured}
    counts = {**{job: len(set(side.videos)) for job, side in used.items()}, **known}
    found = [
        *(found for side, source in sources.items() for found in of_side(side, map(noted, source.notes))),
        *_video_findings(used),
        *_jpeg_findings(used),
        *_range_findings(sources, collected),
        *small_sample_bias.findings(counts, extractors, measured),
        *_score_findings(scores),
        *(motion_findings(motion.real, motion.fake) if motion else ()),
        *(Finding("weights-unverified", note) for e in extractors.values() for note in e.unverified),
    ]
    if damaged_entries:
        parts = counted(damaged_entries, "damaged part")
        what = f"{parts} of the feature store {agreeing(damaged_entries, 'were')} dropped"
        found.append(Finding("store-damaged", what))
    return worst_first(found)


def skipped(jobs: Sequence[Job], collected: Mapping[Job, Collected]) -> tuple[Skipped, ...]:
    """List the videos that were skipped in any repeat."""
    reasons = {name: reason for job in jobs for name, reason in collected[job].skipped.items()}
    return tuple(Skipped(name, reason) for name, reason in sorted(reasons.items()))


def shortages(jobs: Mapping[Side, Sequence[Job]], collected: Mapping[Job, Collected]) -> list[str]:
    """Write sentences about sides that have hardly a usable video."""
    sentences: list[str] = []
    for job, *_ in jobs.values():
        found, draw = collected[job], job.draw
        if len(found.keys) < 2 and found.longest_short:
            sentences.append(
                f"{counted(len(found.skipped), f'{draw.reads} video', 'are')} skipped; a clip needs "
                f"{draw.rule.frames_needed} frames and the longest of the short videos has {found.longest_short}"
            )
        others = {name: reason for name, reason in found.skipped.items() if not reason.startswith("too short")}
        if len(found.keys) < 2 and others:
            sentences.append(f"{counted(len(others), f'{draw.reads} video')} cannot be used: {some(others)}")
    return sentences


def refuse_skipped(collected: Mapping[Job, Collected]) -> None:
    """Raise SourceError when any video was skipped."""
    for job, found in collected.items():
        for name, reason in found.skipped.items():
            raise SourceError(f"{job.draw.reads} video {name}: {reason}; --strict allows no video to be left out")


def _video_findings(collected: Mapping[Job, Collected]) -> Iterator[Finding]:
    skipped: dict[Side, dict[str, str]] = {}
    damaged: dict[Side, dict[str, str]] = {}
    said: dict[tuple[Side, str], dict[str, str]] = {}
    for job, found in collected.items():
        side = job.draw.reads
        for name, why in found.skipped.items():
            if why != OTHER_SHARD:  # this is reported as a whole
                skipped.setdefault(side, {}).setdefault(name, why)
        damaged.setdefault(side, {}).update({name: counted(n, "frame") for name, n in found.damaged.items()})
        for code, videos in found.notes.items():
            said.setdefault((side, code), {}).update(videos)
    for side, videos in skipped.items():
        yield videos_skipped(side, videos)
    for side, videos in damaged.items():
        if videos:
            what = f"{counted(len(videos), f'{side} video', 'are')} used although frames decode with errors"
            yield Finding.of("videos-damaged", what, videos, side=side)
    for (side, code), videos in said.items():
        if code in _NOTES:  # a statistics file may hold any code
            verb, rest = _NOTES[code]
            yield Finding.of(code, f"{counted(len(videos), f'{side} video', verb)} {rest}", videos, side=side)


def _range_findings(sources: Mapping[Side, HasNotes], collected: Mapping[Job, Collected]) -> Iterator[Finding]:
    """Warn of arrays whose values use little of their stated range."""
    levels: dict[Side, tuple[int, int] | None] = {}
    for job, side in collected.items():
        levels[job.draw.reads] = widest(levels.get(job.draw.reads), side.levels)
    for name, found in levels.items():
        stated = value_range_of(sources[name])
        yield from of_side(name, faults.little_used(f"{name} videos", found, stated=stated))


def _jpeg_findings(collected: Mapping[Job, Collected]) -> Iterator[Finding]:
    """Warn of JPEG frames whose quality is not the protocol's or the other side's: that moves scores by percents."""
    read: dict[Side, set[int]] = {"real": set(), "fake": set()}
    coded: dict[Side, set[int]] = {"real": set(), "fake": set()}
    for job, side in collected.items():
        rule = job.draw.rule
        read[job.draw.side] |= side.jpeg_qualities
        if side.not_jpeg and rule.jpeg != "never":
            coded[job.draw.side].add(rule.jpeg_quality)
        if rule.jpeg == "unless-jpeg" and side.jpeg_qualities - {rule.jpeg_quality}:
            yield Finding(
                "jpeg-quality",
                f"the {job.draw.side} frames are JPEG files of quality {_qualities(side.jpeg_qualities)}, kept as they "
                f"are; the protocol says {rule.jpeg_quality}",
                side=job.draw.side,
            )
        if side.jpeg_qualities and side.not_jpeg:
            yield Finding(
                "mixed-codecs",
                f"some of the {job.draw.side} frames are JPEG files and some are not",
                side=job.draw.side,
            )
    fake = read["fake"] | coded["fake"]
    if read["real"] and fake and read["real"] != fake:
        yield Finding(
            "jpeg-mismatch",
            f"the real frames are JPEG files of quality {_qualities(read['real'])}, the fake frames are JPEG of "
            f"{_qualities(fake)}",
        )


def _score_findings(scores: Sequence[Score]) -> Iterator[Finding]:
    """Warn of what scores are worth. What holds for several is said of the first, and the others are named."""
    found: dict[str, dict[str, Finding]] = {}
    drawn = {score.protocol for score in scores if len(set(score.values)) > 1}
    for score in scores:
        for finding in (*_chance_findings(score), *(() if score.protocol in drawn else _repeat_findings(score))):
            found.setdefault(finding.code, {}).setdefault(f"{score.metric.upper()} of {score.protocol}", finding)
    for of_scores in found.values():
        (_, first), *others = of_scores.items()
        more = f"; so it is with {some(dict.fromkeys((name for name, _ in others), ''))}" if others else ""
        yield replace(first, message=first.message + more)


def _repeat_findings(score: Score) -> Iterator[Finding]:
    if len(score.values) > 1 and len(set(score.values)) == 1:
        yield Finding(
            "repeats-equal",
            f"{score.metric.upper()} of {score.protocol}: all repeats are equal, as they are where nothing is drawn at "
            "random or a score is at its limit; their standard deviation of 0 says nothing",
        )


def _chance_findings(score: Score) -> Iterator[Finding]:
    """Warn where chance explains much of a score, judging by its interval and its floor."""
    if score.value is not None:
        for code in doubts(score.value, score.interval, score.floor):
            yield Finding(code, f"{score.metric.upper()} of {score.protocol}: {_doubt(code, score)}")


def _doubt(code: str, score: Score) -> str:
    """Write what a code of `doubts` says of a score."""
    value, interval, floor = score.value, score.interval, score.floor
    if code == "too-few-to-say":
        assert interval is not None
        return (
            f"the interval from {span(interval)} is wider than the score itself: at these "
            "numbers of videos it says nothing"
        )
    assert value is not None and floor is not None
    if code == "at-the-floor" and value <= ROUNDING < floor.interval[0]:
        return (
            f"the score is 0 but for rounding, where real videos score {number(floor.value)} against their own kind at "
            "these numbers: the fake videos are the real ones, or copies of them"
        )
    if code == "at-the-floor":
        return (
            f"{number(value)} cannot be told from the {number(floor.value)} (up to {number(floor.interval[1])}) that "
            "real videos score against their own kind at these numbers: more videos are needed to see a difference"
        )
    otherwise = ", or take the value at infinity" if score.infinite is not None else ""
    return (
        f"{percent(floor.value / value)} of the score is what real videos score against their own kind at these "
        f"numbers of videos: compare it only with scores at the same numbers{otherwise}"
    )


def _qualities(qualities: set[int]) -> str:
    return ", ".join("unknown" if q == 0 else str(q) for q in sorted(qualities))
