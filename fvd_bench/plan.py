"""What an evaluation would do, and for how long, without doing it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.evaluation import Evaluation, reads
from fvd_bench.extraction import Job
from fvd_bench.prefetch import in_order
from fvd_bench.protocol import SIDES, FeatureRule, Side
from fvd_bench.sampling import Indices, clip_indices

_TRIAL_SIDE = 128


@dataclass(frozen=True, slots=True)
class PlannedSide:
    """What one protocol would do with one side, in its first repeat.

    used: videos that are long enough; cached: of these, such whose features are stored; skipped: video -> reason.
    """

    protocol: str
    side: Side
    used: int
    cached: int
    skipped: dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """seconds: estimate of the time that the networks need on this device, decoding going on beside them."""

    sides: tuple[PlannedSide, ...]
    unserved: dict[str, str]
    seconds: float


def plan(evaluation: Evaluation) -> Plan:
    """Count the frames of every video whose features are not stored, and time one batch of each network."""
    planned: list[PlannedSide] = []
    frames: dict[tuple[FeatureRule, int], int] = {}
    served = [p for p in evaluation.protocols if p.name not in evaluation.unserved]
    for source in SIDES:
        extraction = evaluation.extraction(source)
        jobs = evaluation.jobs_reading(source)
        absent = extraction.absent(jobs)
        skipped: dict[Job, dict[str, str]] = {job: {} for job in jobs}
        clips: dict[Job, int] = dict.fromkeys(jobs, 0)
        read = in_order(
            list(absent.items()), lambda task, s=source: _read(evaluation, s, *task), workers=evaluation.workers
        )
        for done, ((index, _), (job, outcome)) in enumerate(read):
            evaluation.progress(f"{source} videos", done, len(absent))
            if isinstance(outcome, str):
                skipped[job][evaluation.sources[source].names[index]] = outcome
            else:
                clips[job] += 1
                for indices in outcome:
                    key = (job.features, len(indices))
                    frames[key] = frames.get(key, 0) + 1
        for p in served:
            for side in SIDES:
                job = evaluation.jobs(p, side)[0]
                if reads(job) == source:
                    wanted = min(len(evaluation.sources[source].names), job.draw.rule.count or 2**63)
                    missing = sum(job in wanting for wanting in absent.values())
                    used = wanted - len(skipped[job])
                    planned.append(PlannedSide(p.name, side, used, wanted - missing, skipped[job]))
    seconds = sum(_seconds_per_clip(evaluation, rule, n) * count for (rule, n), count in frames.items())
    return Plan(tuple(planned), dict(evaluation.unserved), seconds)


def _read(
    evaluation: Evaluation, source: Side, index: int, jobs: Sequence[Job]
) -> Iterator[tuple[Job, list[Indices] | str]]:
    """Runs in a thread: the clips that each job would take of a video, or why there are none."""
    video = evaluation.sources[source].video(index)
    for job in jobs:
        draw = job.draw
        try:
            yield job, clip_indices(video.num_frames, draw.rule, side=draw.side, seed=draw.seed, index=index)
        except VideoError as error:
            yield job, str(error)


def _seconds_per_clip(evaluation: Evaluation, rule: FeatureRule, frames: int) -> float:
    extractor = evaluation.extractors[rule]
    clips = [np.zeros((frames, _TRIAL_SIDE, _TRIAL_SIDE, 3), dtype=np.uint8)] * extractor.batch_clips(frames)
    extractor(clips)  # the first call of a network takes longer than the others
    started = time.monotonic()
    extractor(clips)
    return (time.monotonic() - started) / len(clips)
