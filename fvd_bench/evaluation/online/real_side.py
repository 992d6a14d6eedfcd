"""RealSide: the real side of an online metric that was given whole, as a path for one, and is read once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvd_bench.errors import MetricError
from fvd_bench.evaluation.findings import refuse_skipped, skipped
from fvd_bench.evaluation.online.extraction import OnlineExtraction
from fvd_bench.evaluation.score import SideCount
from fvd_bench.features.extraction import Extraction
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.given import Given
from fvd_bench.features.jobs import Collected, Job
from fvd_bench.features.online_facts import OnlineFacts
from fvd_bench.features.online_features import OnlineFeatures
from fvd_bench.features.opening import open_side
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import Finding
from fvd_bench.processors import processors
from fvd_bench.progress import Progress, labelled, shown
from fvd_bench.sources.arrays import ArrayVideos
from fvd_bench.sources.clip_source import value_range_of
from fvd_bench.sources.opening import SourceLike
from fvd_bench.videos.clips import Draw


@dataclass(frozen=True, slots=True)
class ReadSide:
    """What was read of a side that was given whole.

    features: what a metric is computed of. count: how much of the side that is.
    facts, collected: what findings are sought in; collected is None where no videos are behind the features.
    known_videos: see `Given`.
    findings: those on how the side was given.
    """

    features: OnlineFeatures | FeatureSet
    count: SideCount
    facts: OnlineFacts
    collected: Collected | None
    known_videos: int | None
    findings: Sequence[Finding]


class RealSide:
    """A real side that was given whole. Raises what `open_side` and its checks raise, before any long work."""

    def __init__(self, real: SourceLike, online: OnlineExtraction) -> None:
        self._real = real
        self._read: ReadSide | None = None
        self._given: Given | None = open_side(real, "real")
        self._given.check_serves(online.protocol.fake, dim=online.network.dim)
        self._given.check_jobs([_job(online)], {online.protocol.features: online.network})
        self._given.check_readable()

    def read(self, online: OnlineExtraction, progress: Progress | bool) -> ReadSide:
        """Return what the side holds. Videos are read at the first call, and the store may hold their features.

        progress: see `shown`.
        """
        if self._read is None:
            self._given = self._given or open_side(self._real, "real")
            with shown(progress, first=True) as show, online.findable():
                self._read = _read(self._given, online, show)
        return self._read

    def forget(self) -> None:
        """Let the next call of `read` read the side again."""
        self._read = None
        if self._given is not None and isinstance(self._given.source, ArrayVideos):
            self._given = None  # arrays may hold other values by then

    def __getstate__(self) -> dict[str, Any]:
        """Leave out open files, which are opened again where they are needed."""
        is_kept = self._read is not None and isinstance(self._read.features, OnlineFeatures)
        return {**self.__dict__, "_given": None, "_read": self._read if is_kept else None}


def _job(online: OnlineExtraction) -> Job:
    return Job(Draw(online.protocol.real, "real", online.seed), online.protocol.features)


def _read(given: Given, online: OnlineExtraction, progress: Progress) -> ReadSide:
    here = online.versions
    findings = tuple(given.findings("real", here))
    facts = OnlineFacts(tuple(given.source.notes), value_range_of(given.source))
    job = _job(online)
    if given.known is not None:
        known = {job: Collected(skipped=dict(given.skipped))}
        if online.settings.strict:
            refuse_skipped(known)
        return ReadSide(
            given.known, SideCount(given.known.count, skipped([job], known)), facts, None, given.known_videos, findings
        )
    cache, rule = online.settings.cache, online.protocol.features
    with (
        contextlib.closing(FeatureStore(None if cache is None else Path(cache))) as own,
        given.store(own) as store,
    ):
        extraction = Extraction(
            given.source,
            store,
            {rule: online.network},
            versions=given.versions(here),
            workers=online.settings.workers or processors(),
            progress=labelled(progress, "reading real files"),
        )
        given.check_holds(lambda: extraction.missing([job]))
        collected = extraction.collect([job], labelled(progress, "real videos"))
        if online.settings.strict:
            refuse_skipped(collected)
        if (refused := collected[job].refused) is not None:
            raise MetricError(refused)
        gathered = OnlineFeatures()
        for turn, (video, features) in enumerate(extraction.features(collected[job])):
            gathered.add(video, features, turn=turn)
    count = SideCount(gathered.rows, skipped([job], collected))
    return ReadSide(gathered, count, facts, collected[job], None, findings)
