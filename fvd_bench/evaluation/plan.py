"""What an evaluation would do, and whether it would end in a score, found out without doing it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial

from fvd_bench.errors import MetricError, VideoError, WeightsError
from fvd_bench.evaluation.duration import Seconds, duration
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.feasibility import shortage
from fvd_bench.evaluation.scorable_protocols import load_all
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.jobs import Job, first_of_each
from fvd_bench.networks import NETWORKS, weights
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.settings import Settings
from fvd_bench.videos.clips import reason
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.sampling import clip_indices


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

    sides: one entry per protocol and side. unserved: protocol -> why it would get no score.
    seconds: estimate of the time that the evaluation takes on this machine. None where there would be no score.
    """

    sides: tuple[PlannedSide, ...]
    unserved: Mapping[str, str]
    seconds: Seconds | None

    def check_possible(self, of: str = "") -> None:
        """Raise MetricError when the evaluation would end without a score. of: whose score it is, in a ranking."""
        if self.seconds is None:
            reasons = (f"{name}: {why}" for name, why in self.unserved.items())
            raise MetricError(f"{f'{of}: ' if of else ''}no score is possible: {'; '.join(reasons)}")


@dataclass(slots=True)
class _Outlook:
    """What a job would find: numbers of videos, of features, and why videos are skipped."""

    stored: int = 0
    absent: int = 0
    features: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


def check_weights(protocol: ProtocolLike | Sequence[ProtocolLike], settings: Settings) -> None:
    """Raise WeightsError where opening an evaluation would fetch weights: whoever plans gets nothing big unasked."""
    needed = dict.fromkeys(name for p in load_all(protocol) for name in NETWORKS[p.features.extractor].weights)
    absent = [name for name in needed if name not in settings.weights and not weights.is_here(name)]
    if absent:
        raise WeightsError(
            f"a dry run fetches nothing, and the weights {', '.join(absent)} are not here: "
            f"{', '.join(f'`fvd-bench weights pull {name}`' for name in absent)} would get them"
        )


def plan(evaluation: Evaluation) -> Plan:
    """Count the frames of every video whose features are not stored, and time each kind of work on a few videos."""
    (planned,) = plans({"": evaluation}).values()
    return planned


def plans(evaluations: Mapping[str, Evaluation]) -> dict[str, Plan]:
    """Plan evaluations that share their real side, as those of a ranking do: name -> plan.

    What they share, which is opening and the real side, is part of the time of the first.
    """
    first = next(iter(evaluations.values()))
    opening = time.monotonic() - first.started
    real = first.extraction("real")
    jobs = dict.fromkeys(job for evaluation in evaluations.values() for job in evaluation.jobs_reading("real"))
    of_real: dict[Job, _Outlook] = {}
    real_work = _look(first, "real", real, list(jobs), of_real)
    found: dict[str, Plan] = {}
    for name, evaluation in evaluations.items():
        fake = evaluation.extraction("fake")
        outlooks = dict(of_real)
        fake_work = _look(evaluation, "fake", fake, evaluation.jobs_reading("fake"), outlooks)
        sides, unserved = _planned(evaluation, outlooks)
        seconds = None
        if any(protocol.name not in unserved for protocol in evaluation.protocols):
            extractions: dict[Side, Extraction] = {"fake": fake}
            if evaluation is first:
                extractions = {"real": real, "fake": fake}
            seconds = duration(
                evaluation,
                extractions,
                {"real": real_work, "fake": fake_work},
                {job: outlook.features for job, outlook in outlooks.items()},
                opening=opening if evaluation is first else 0.0,
            )
        found[name] = Plan(tuple(sides), unserved, seconds)
    return found


def whole(planned: Iterable[Plan]) -> Seconds | None:
    """Return the time of plans that share their real side together, None where one of them would get no score."""
    parts = [plan.seconds for plan in planned]
    known = [seconds for seconds in parts if seconds is not None]
    return Seconds(*map(sum, zip(*map(astuple, known), strict=True))) if len(known) == len(parts) else None


def _planned(evaluation: Evaluation, outlooks: Mapping[Job, _Outlook]) -> tuple[list[PlannedSide], dict[str, str]]:
    """Return what each protocol would do with each side, and protocol -> why it would get no score."""
    sides: list[PlannedSide] = []
    unserved = {p.name: lost.reason for p, lost in evaluation.unserved.items()}
    for protocol in evaluation.protocols:
        if protocol in evaluation.unserved:
            continue
        for side in SIDES:
            found = outlooks[evaluation.jobs(protocol, side)[0]]
            used = found.stored + found.absent
            sides.append(PlannedSide(protocol.name, side, used, found.stored, found.skipped))
        if why := _why_not(evaluation, protocol, outlooks):
            unserved[protocol.name] = why
    return sides, unserved


def _look(
    evaluation: Evaluation,
    source: Side,
    extraction: Extraction,
    jobs: Sequence[Job],
    outlooks: dict[Job, _Outlook],
) -> dict[int, list[Job]]:
    """Fill in the outlooks of jobs that read this source. Return what would be computed: place -> jobs."""
    names = evaluation.sources[source].names
    outlooks |= {job: _Outlook() for job in jobs}
    known, absent = extraction.outlook(jobs)
    for (place, job), (_, facts) in known.items():
        if facts.skipped is None:
            outlooks[job].stored += 1
            lengths = [1] if facts.num_frames is None else _taken(job, place, facts.num_frames)
            outlooks[job].features += NETWORKS[job.features.extractor].count(lengths)
        else:
            outlooks[job].skipped[names[place % len(names)]] = facts.skipped
    first = set(first_of_each(absent).values())
    tasks: dict[int, list[Job]] = {}
    for place, job in absent:
        tasks.setdefault(place, []).append(job)
    computed: dict[int, list[Job]] = {}
    counting = in_order(list(tasks.items()), partial(_count, evaluation, source), workers=evaluation.workers)
    for done, ((place, _), (job, outcome)) in enumerate(counting, start=1):
        evaluation.progress(f"{source} videos", done, len(absent))
        if isinstance(outcome, str):
            outlooks[job].skipped[names[place % len(names)]] = outcome
            continue
        outlooks[job].absent += 1
        outlooks[job].features += NETWORKS[job.features.extractor].count(outcome)
        if (place, job) in first:
            computed.setdefault(place, []).append(job)
    return computed


def _count(evaluation: Evaluation, source: Side, task: tuple[int, list[Job]]) -> Iterator[tuple[Job, list[int] | str]]:
    """Yield each job with the lengths of the clips that it would take of a video, or with why there are none.

    It runs in a thread.
    """
    place, jobs = task
    videos = evaluation.sources[source]
    video = videos.video(place % len(videos.names))
    for job in jobs:
        try:
            yield job, _taken(job, place, video.num_frames)
        except VideoError as error:
            yield job, reason(video, error)


def _taken(job: Job, place: int, num_frames: int) -> list[int]:
    """Return the lengths of the clips that a job takes of a video. Raises ShortVideoError."""
    draw = job.draw
    return [len(clip) for clip in clip_indices(num_frames, draw.rule, side=draw.side, seed=draw.seed, place=place)]


def _why_not(evaluation: Evaluation, protocol: Protocol, outlooks: Mapping[Job, _Outlook]) -> str:
    """Say why a protocol would get no score, empty where it would."""
    found: dict[Side, int] = {}
    for side in SIDES:
        job = evaluation.jobs(protocol, side)[0]
        for name, why in outlooks[job].skipped.items():
            if evaluation.strict:
                return f"{job.draw.reads} video {name}: {why}; --strict allows no video to be left out"
            if job.draw.rule.short_videos == "error" and why.startswith("too short"):
                return f"{name}: {why}; the protocol allows no video to be too short"
        if evaluation.sides[side].given.known is None:
            found[side] = outlooks[job].features
    reasons: list[str] = []
    for name in protocol.metric.names:
        lacking = [short for side, count in found.items() if (short := shortage(name, protocol, side, count))]
        if not lacking:
            return ""
        reasons += lacking
    return "; ".join(reasons)
