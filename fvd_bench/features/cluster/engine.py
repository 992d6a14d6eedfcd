"""What every engine for a cluster does in the process that gives out the work: whichever starts the workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from fvd_bench.errors import EngineError, VideoError
from fvd_bench.features.cluster.parquet import Folder, Gathering
from fvd_bench.features.cluster.stages import VIDEOS, Table, Work
from fvd_bench.features.jobs import Job, Tasks, VideosDone
from fvd_bench.features.store import Facts, FeatureStore
from fvd_bench.networks import FeatureExtractor
from fvd_bench.paths import PathLike
from fvd_bench.plugins import allowed_code
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.sources.clip_source import ClipSource
from fvd_bench.sources.fetched import AtAddress
from fvd_bench.sources.listing import FileSource


@dataclass(slots=True, kw_only=True)
class ClusterEngine(ABC):
    """An `engine.Engine` whose workers run `stages` and write Parquet files, which this process takes in.

    place: the folder or address for the files, which all workers see.
    device, weights, versions: as in `stages.Work`.
    """

    place: str
    device: str
    weights: Mapping[str, PathLike]
    versions: Mapping[str, str]

    @abstractmethod
    def digests(self, source: ClipSource, indices: Table) -> Iterator[Table]:
        """Yield DIGESTS of the videos with these indices, in any order. Raises FvdBenchError."""

    @abstractmethod
    def files(self, work: Work, videos: Table, folder: Folder, *, batch: int) -> Iterator[str]:
        """Yield the name of each file in which FEATURES of these VIDEOS are finished. Raises FvdBenchError.

        batch: how many clips a network takes at a time.
        """

    def contents(self, source: ClipSource, indices: Sequence[int]) -> Iterator[str | VideoError]:
        """Do what `engine.Engine` says."""
        if not indices:
            return
        _check_readable(source)
        found: dict[int, str | VideoError] = {}
        for table in self.digests(source, pa.table({"index": pa.array(indices, pa.int64())})):
            for row in table.to_pylist():
                found[row["index"]] = row["content"] or VideoError(row["unreadable"])
        yield from (found[index] for index in indices)

    def features(
        self,
        source: ClipSource,
        tasks: Tasks,
        contents: Mapping[int, str],
        extractors: Mapping[FeatureRule, FeatureExtractor],
        store: FeatureStore,
        progress: VideosDone,
    ) -> dict[str, Facts]:
        """Do what `engine.Engine` says."""
        _check_readable(source)
        wanted = {key for jobs in tasks.values() for key in jobs}
        gathering, folder = Gathering(store, wanted), Folder(self.place)
        for name in folder.names():
            gathering.take(folder.read(name), earlier=True)
        jobs = list(dict.fromkeys(job for of_video in tasks.values() for job in of_video.values()))
        videos = _videos(tasks, contents, len(source.names), jobs, gathering.missing)
        if len(videos):
            work = Work(source, tuple(jobs), self.device, self.weights, self.versions, allowed_code())
            batches = {job.features: extractors[job.features].batch_clips(_frames(job)) for job in jobs}
            progress(len(gathering.facts), len(wanted))
            for name in self.files(work, videos, folder, batch=sum(batches.values())):
                gathering.take(folder.read(name))
                progress(len(gathering.facts), len(wanted))
        if lost := gathering.missing:
            raise EngineError(
                f"the features of {len(lost)} of {len(wanted)} entries have not come from the workers; run the same "
                "command again, which goes on from what is finished"
            )
        return gathering.facts


def _videos(tasks: Tasks, contents: Mapping[int, str], videos: int, jobs: Sequence[Job], missing: set[str]) -> Table:
    """Return VIDEOS of what is missing. videos: their number in the listing."""
    numbers = {job: number for number, job in enumerate(jobs)}
    columns: tuple[list[object], ...] = ([], [], [], [])
    for place, wanted in tasks.items():
        if keys := [key for key in wanted if key in missing]:
            row = (place, contents[place % videos], keys, [numbers[wanted[key]] for key in keys])
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, VIDEOS.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=VIDEOS)


def _frames(job: Job) -> int:
    """Return the length of a job's clips, 1 where it is that of each video."""
    frames = job.draw.rule.frames
    return frames if isinstance(frames, int) else 1


def _check_readable(source: ClipSource) -> None:
    """Raise EngineError for a side that no other machine can read."""
    files = source.side if isinstance(source, AtAddress) else source
    if not isinstance(files, FileSource):
        raise EngineError(
            f"{source.name}: workers of a cluster cannot read {source.kind}: expected video files, frame folders or "
            "archives, where all machines see them"
        )
