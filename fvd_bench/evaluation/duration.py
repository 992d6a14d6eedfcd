"""How long an evaluation takes, found out by doing each kind of its work on a few videos."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.jobs import Job
from fvd_bench.inspection import motion
from fvd_bench.inspection.motion_of_sides import MOST_VIDEOS, evenly_spaced, motion_key
from fvd_bench.metrics.measurement import measure
from fvd_bench.networks import FeatureExtractor, environment
from fvd_bench.processors import processors
from fvd_bench.protocols.rules import SIDES, FeatureRule, Side
from fvd_bench.videos.clips import DrawEnd, DrawnClip, read_draws
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.video import Pixels

_VIDEOS = 8
"""The most videos of a side that each kind of work is timed on."""

_VALUES = 2**20
"""The most values of a side that scoring is timed on: 2,621 clips of I3D, 512 frames of Inception."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Estimates for the parts of an evaluation.

    opening: networks are loaded, and videos are listed.
    features: videos are read, and networks run meanwhile.
    reading: decoding, resizing and JPEG, if that were all. networks: likewise.
    """

    opening: float
    features: float
    reading: float
    networks: float
    motion: float
    scoring: float

    @property
    def total(self) -> float:
        return self.opening + self.features + self.motion + self.scoring


def duration(
    evaluation: Evaluation,
    extractions: Mapping[Side, Extraction],
    work: Mapping[Side, Mapping[int, Sequence[Job]]],
    features: Mapping[Job, int],
    *,
    opening: float,
) -> Seconds:
    """Estimate the time that an evaluation takes on this machine.

    work: what has to be computed of each side: place -> jobs. features: how many features each job has in the end.
    opening: the seconds that opening it took.
    """
    both, reading, networks, moving = 0.0, 0.0, 0.0, 0.0
    for side, extraction in extractions.items():
        read, run = _features(evaluation, side, work[side])
        both += _at_once(evaluation, read, run)
        reading, networks = reading + read, networks + run
        moving += _motion(evaluation, side, extraction)
    return Seconds(opening, both, reading, networks, moving, _scoring(evaluation, features))


def _features(evaluation: Evaluation, side: Side, work: Mapping[int, Sequence[Job]]) -> tuple[float, float]:
    """Return the seconds that reading takes with all threads, and those that the networks take."""
    source = evaluation.sources[side]
    batches: dict[tuple[FeatureRule, int], list[Pixels]] = {}
    clips: Counter[tuple[FeatureRule, int]] = Counter()

    def read(task: tuple[int, Sequence[Job]]) -> Iterator[DrawnClip | DrawEnd]:
        place, jobs = task
        draws = dict.fromkeys(job.draw for job in jobs)
        return read_draws(source.video(place % len(source.names)), list(draws), place)

    tasks = list(work.items())
    sample = [tasks[i] for i in evenly_spaced(len(tasks), _VIDEOS)]
    started = time.monotonic()
    for (_, jobs), item in in_order(sample, read, workers=evaluation.workers):
        for job in jobs:
            if isinstance(item, DrawnClip) and item.draw == job.draw:
                kind = job.features, len(item.images)
                clips[kind] += 1
                batch = batches.setdefault(kind, [])
                if len(batch) < evaluation.extractors[job.features].batch_clips(len(item.images)):
                    batch.append(item.images)
    more = len(tasks) / max(len(sample), 1)
    seconds = (time.monotonic() - started) * more
    run = sum(_per_clip(evaluation.extractors[kind[0]], batch) * clips[kind] for kind, batch in batches.items())
    return seconds, run * more


def _per_clip(extractor: FeatureExtractor, clips: list[Pixels]) -> float:
    """Return the seconds that a network takes for one of these clips in a full batch."""
    full = [clips[i % len(clips)] for i in range(extractor.batch_clips(len(clips[0])))]
    extractor(full)  # the first call of a network takes longer than the others
    started = time.monotonic()
    extractor(full)
    return (time.monotonic() - started) / len(full)


def _at_once(evaluation: Evaluation, reading: float, networks: float) -> float:
    """Return the seconds of both where they run at once: those of the longer one, or more where processors lack."""
    busy = environment.threads(evaluation.device)
    readers = min(evaluation.workers, processors())
    return max(reading, networks, (reading * readers + networks * busy) / max(processors(), busy))


def _motion(evaluation: Evaluation, side: Side, extraction: Extraction) -> float:
    of_side, contents = evaluation.sides[side], extraction.contents
    given, store, versions = of_side.given, of_side.store, of_side.motion_versions
    absent = [
        index
        for index in evenly_spaced(len(given.source.names), MOST_VIDEOS)
        if given.has_frames and index in contents and store.get(motion_key(contents[index], versions)) is None
    ]

    def move(index: int) -> Iterator[None]:
        with contextlib.suppress(VideoError):  # such a video is left out
            motion.measure(given.source.video(index))
        yield None

    sample = [absent[i] for i in evenly_spaced(len(absent), _VIDEOS)]
    started = time.monotonic()
    for _ in in_order(sample, move, workers=evaluation.workers):
        pass
    return (time.monotonic() - started) * len(absent) / max(len(sample), 1)


def _scoring(evaluation: Evaluation, features: Mapping[Job, int]) -> float:
    """Time the metrics on random numbers, as many as the features are or as many as take a second or two."""
    seconds = 0.0
    for protocol in evaluation.protocols:
        jobs = {side: evaluation.jobs(protocol, side)[0] for side in SIDES}
        counts = {side: features.get(job, 0) for side, job in jobs.items()}
        if protocol in evaluation.unserved or not all(counts.values()):
            continue
        dim = evaluation.extractors[protocol.features].dim
        rng = np.random.default_rng(0)
        sides = {
            side: FeatureSet.of(rng.standard_normal((min(count, _VALUES // dim), dim), dtype=np.float32))
            for side, count in counts.items()
        }
        started = time.monotonic()
        measure([sides], protocol.metric, seed=0)
        more = max(count / sides[side].count for side, count in counts.items())
        seconds += (time.monotonic() - started) * more * len(evaluation.seeds)
    return seconds
