"""What a statistics file was made of: the features that it wants and lacks, and the videos that it was made without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from fvd_bench.features.extraction import Extraction
from fvd_bench.features.given import OTHER_SHARD, GivenFile
from fvd_bench.features.jobs import Job
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.networks import NETWORKS, FeatureExtractor, Features, environment
from fvd_bench.protocols.rules import SIDES, FeatureRule
from fvd_bench.videos.clips import Draw
from fvd_bench.videos.video import Pixels


def missing_videos(file: StatsFile) -> list[int]:
    """List the places in the listing whose features are wanted and missing. Raises as `_recorded`."""
    with _recorded(file) as extraction:
        return sorted({place % len(file.names) for place, _ in extraction.missing(_jobs_of(file))})


def skipped_videos(file: StatsFile) -> dict[str, str]:
    """Return the reason by name for each video that a file was made without, in any of its protocols and repeats.

    Raises as `_recorded`.
    """
    with _recorded(file) as extraction:
        held = extraction.held(_jobs_of(file)).values()
    reasons = {name: reason for collected in held for name, reason in collected.skipped.items()}
    return {name: reasons[name] for name in file.names if reasons.get(name, OTHER_SHARD) != OTHER_SHARD}


@contextlib.contextmanager
def _recorded(file: StatsFile) -> Iterator[Extraction]:
    """Open what a file holds as an extraction that computes nothing. Raises ProtocolError where a network is not here
    that alone says which libraries its features are known by."""
    libraries = file.versions.keys() - environment.OF_ALL - {p.features.extractor for p in file.protocols}
    for protocol in file.protocols if libraries else ():
        NETWORKS.find(protocol.features.extractor)
    extractors: dict[FeatureRule, FeatureExtractor] = {
        p.features: _Recorded(file.weights[p.features.signature()]) for p in file.protocols
    }
    given = GivenFile(file.path, file)
    with given.held() as store:
        yield Extraction(
            given.source, store, extractors, versions=file.versions, workers=1, progress=lambda done, total: None
        )


def _jobs_of(file: StatsFile) -> list[Job]:
    """List all jobs that a file has features for."""
    seeds = range(file.seed, file.seed + file.repeats)
    draws = [(p, Draw(p.clip_rule(side), side, seed)) for p in file.protocols for side in SIDES for seed in seeds]
    return list(dict.fromkeys(Job(draw, p.features) for p, draw in draws if draw.reads == file.side))


class _Recorded:
    """A stand-in for a network that ran elsewhere."""

    dim = 0
    unverified: Sequence[str] = ()

    def __init__(self, weights: Mapping[str, str]) -> None:
        self.weights = weights

    def batch_clips(self, frames: int) -> int:
        raise AssertionError("it is not here")

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        raise AssertionError("it is not here")
