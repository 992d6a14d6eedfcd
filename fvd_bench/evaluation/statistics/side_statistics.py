"""What scoring needs of the videos of one side, computed and put into a statistics file."""

from __future__ import annotations

import numpy as np

from fvd_bench.errors import SourceError
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.findings import refuse_skipped
from fvd_bench.features.distributed import Share
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.features.store import Entry
from fvd_bench.inspection.motion_of_sides import MOST_VIDEOS, evenly_spaced, motion_key, motions
from fvd_bench.networks import Features, environment
from fvd_bench.progress import labelled
from fvd_bench.protocols.rules import Side
from fvd_bench.sources.clip_source import value_range_of

_NO_FEATURES: Features = np.zeros((0, 1), dtype=np.float32)


def side_statistics(evaluation: Evaluation, side: Side, share: Share) -> StatsFile:
    """Compute the features and the motion of a side under all protocols of an evaluation.

    share: the videos to take. Raises SourceError where no features can be made for a protocol, and what reading videos
    raises.
    """
    for protocol, lost in evaluation.unserved.items():
        raise SourceError(f"no features can be made for {protocol.name}: {lost.reason}")
    source, extraction = evaluation.sources[side], evaluation.extraction(side, share)
    jobs = evaluation.jobs_reading(side)
    passing = evaluation.passing_motion(side, extraction)
    collected, outcomes = extraction.outcomes(jobs, labelled(evaluation.progress, "videos"), watch=passing)
    passing.store()
    if evaluation.strict:
        refuse_skipped(collected)
    motion_versions = environment.feature_versions("cpu")
    moving = evenly_spaced(len(source.names), MOST_VIDEOS)
    motions(  # which leaves it in the store
        source,
        evaluation.store,
        moving,
        versions=motion_versions,
        workers=evaluation.workers,
        progress=labelled(evaluation.progress, "motion of videos"),
        share=share,
    )
    entries: dict[str, Entry] = {}
    for key, facts in outcomes:
        if key:
            entries[key] = evaluation.store.get(key) or Entry(_NO_FEATURES, facts)
    motion: dict[str, Entry] = {}
    for index in moving:
        key = motion_key(extraction.contents[index], motion_versions) if index in extraction.contents else ""
        if key and (entry := evaluation.store.get(key)) is not None:
            motion[key] = entry
    return StatsFile(
        side=side,
        protocols=tuple(evaluation.protocols),
        seed=evaluation.seeds[0],
        repeats=len(evaluation.seeds),
        path=source.name,
        kind=source.kind,
        names=tuple(source.names),
        contents=dict(extraction.contents),
        unreadable=dict(extraction.unreadable),
        weights={rule.signature(): e.weights for rule, e in evaluation.extractors.items()},
        versions=evaluation.versions(),
        motion_versions=motion_versions,
        entries=entries,
        motion=motion,
        value_range=value_range_of(source),
    )
