"""What an evaluation would do and how long it would take, found out without doing it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.features.extraction import Job, first_of_each
from fvd_bench.protocols.rules import SIDES, FeatureRule, Side
from fvd_bench.videos.clips import reason
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.sampling import clip_indices

_TRIAL_SIDE = 128
"""Height and width, in pixels, of the frames that the networks are timed on."""


@dataclass(frozen=True, slots=True)
class PlannedSide:
    """What one protocol would do with one side in its first repeat.

    used: number of videos that are long enough. stored: how many of these have their features in the store.
    skipped: video -> reason.
    """

    protocol: str
    side: Side
    used: int
    stored: int
    skipped: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation would do.

    sides: one entry per protocol and side. unserved: protocol -> why it cannot be served.
    seconds: estimate of the time that the networks take on this machine.
    """

    sides: tuple[PlannedSide, ...]
    unserved: Mapping[str, str]
    seconds: float


@dataclass(slots=True)
class _Outlook:
    stored: int = 0
    absent: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


def plan(evaluation: Evaluation) -> Plan:
    """Count the frames of every video whose features are not stored, and time one batch of each network."""
    outlooks: dict[Job, _Outlook] = {}
    clips: Counter[tuple[FeatureRule, int]] = Counter()
    for source in SIDES:
        _look(evaluation, source, outlooks, clips)
    sides = []
    for protocol in evaluation.protocols:
        if protocol not in evaluation.unserved:
            for side in SIDES:
                found = outlooks[evaluation.jobs(protocol, side)[0]]
                used = found.stored + found.absent
                sides.append(PlannedSide(protocol.name, side, used, found.stored, found.skipped))
    seconds = sum(_seconds_per_clip(evaluation, rule, frames) * n for (rule, frames), n in clips.items())
    return Plan(tuple(sides), {p.name: reason for p, reason in evaluation.unserved.items()}, seconds)


def _look(
    evaluation: Evaluation, source: Side, outlooks: dict[Job, _Outlook], clips: Counter[tuple[FeatureRule, int]]
) -> None:
    """Fill in `outlooks` and `clips`: what the jobs that read this source would find in the store and would compute."""
    names = evaluation.sources[source].names
    jobs = evaluation.jobs_reading(source)
    outlooks |= {job: _Outlook() for job in jobs}
    known, absent = evaluation.extraction(source).outlook(jobs)
    for (place, job), (_, facts) in known.items():
        if facts.skipped is None:
            outlooks[job].stored += 1
        else:
            outlooks[job].skipped[names[place % len(names)]] = facts.skipped
    computed = set(first_of_each(absent).values())
    tasks: dict[int, list[Job]] = {}
    for place, job in absent:
        tasks.setdefault(place, []).append(job)
    counting = in_order(list(tasks.items()), partial(_count, evaluation, source), workers=evaluation.workers)
    for done, ((place, _), (job, outcome)) in enumerate(counting):
        evaluation.progress(f"{source} videos", done, len(absent))
        if isinstance(outcome, str):
            outlooks[job].skipped[names[place % len(names)]] = outcome
            continue
        outlooks[job].absent += 1
        if (place, job) in computed:
            clips.update((job.features, frames) for frames in outcome)


def _count(evaluation: Evaluation, source: Side, task: tuple[int, list[Job]]) -> Iterator[tuple[Job, list[int] | str]]:
    """Yield each job with the lengths of the clips that it would take of a video, or with why there are none.

    It runs in a thread.
    """
    place, jobs = task
    videos = evaluation.sources[source]
    video = videos.video(place % len(videos.names))
    for job in jobs:
        draw = job.draw
        try:
            taken = clip_indices(video.num_frames, draw.rule, side=draw.side, seed=draw.seed, place=place)
            yield job, [len(indices) for indices in taken]
        except VideoError as error:
            yield job, reason(video, error)


def _seconds_per_clip(evaluation: Evaluation, rule: FeatureRule, frames: int) -> float:
    extractor = evaluation.extractors[rule]
    clips = [np.zeros((frames, _TRIAL_SIDE, _TRIAL_SIDE, 3), dtype=np.uint8)] * extractor.batch_clips(frames)
    extractor(clips)  # the first call of a network takes longer than the others
    started = time.monotonic()
    extractor(clips)
    return (time.monotonic() - started) / len(clips)
