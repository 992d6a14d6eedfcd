"""A statistics file as a side: videos whose features are known and whose frames are elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fvd_bench.errors import NotComparableError, SourceError, VideoError
from fvd_bench.features.extraction import Extraction, Job
from fvd_bench.features.foreign import open_fake, open_real
from fvd_bench.features.stats_file import StatsFile, is_stats_file
from fvd_bench.features.store import FeatureStore
from fvd_bench.paths import user_path
from fvd_bench.protocols.rules import Side
from fvd_bench.sources.opening import ClipSource, SourceLike
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame, Video


@dataclass(frozen=True)
class StatsVideo:
    """content_digest: of its contents, None where they could not be read; why: not."""

    content_digest: str | None
    why: str

    @property
    def num_frames(self) -> int:
        raise VideoError("its frames are not in the statistics file")

    def frames(self, indices: Indices) -> Iterator[Frame]:
        raise VideoError("its frames are not in the statistics file")

    def content(self) -> str:
        if self.content_digest is None:
            raise VideoError(self.why)
        return self.content_digest

    def state(self) -> str:
        return hashlib.sha256(f"statistics\0{self.content()}".encode()).hexdigest()


@dataclass(frozen=True)
class StatsSource:
    """The side that a file holds."""

    path: Path
    file: StatsFile

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def kind(self) -> str:
        return f"statistics of {self.file.kind}"

    @property
    def names(self) -> Sequence[str]:
        return self.file.names

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self.file.value_range

    @property
    def notes(self) -> Sequence[str]:
        return ()

    def video(self, index: int) -> Video:
        why = self.file.unreadable.get(index, "it was another shard's: merge all shards first")
        return StatsVideo(self.file.contents.get(index), why)

    def store(self) -> FeatureStore:
        """A feature store of its own, as what a file claims must not reach that of others."""
        store = FeatureStore(None)
        store.put(self.file.entries.items())
        store.put(self.file.motion.items())
        return store

    def check_side(self, side: Side) -> None:
        """Raises NotComparableError when the features are for the other side."""
        if self.file.side != side:
            raise NotComparableError(
                f"{self.path} holds features for the {self.file.side} side, and is given as the {side} one: clips are "
                f"not drawn alike on both; make it with `fvd-bench stats --side {side}`"
            )

    def check_holds(self, jobs: Sequence[Job], extraction: Extraction) -> None:
        """Raises SourceError when features are missing that these jobs want."""
        if not extraction.missing(jobs):
            return
        held = ", ".join(p.name for p in self.file.protocols)
        last = self.file.seed + self.file.repeats - 1
        raise SourceError(
            f"{self.path} does not hold all features that are asked for: it was made for {held}, with the seeds "
            f"{self.file.seed} to {last}, and the weights {_weights(self.file)}; ask for these, or make another with "
            "`fvd-bench stats`; if these are asked for, an older version of fvd-bench made the file, from other frames "
            "or by other arithmetic, and it has to be made again"
        )


def open_side(source: SourceLike, side: Side) -> ClipSource:
    """Open a side: videos, a statistics file, or on the real side the statistics of other programs.

    Raises SourceError, and NotComparableError for a statistics file of the other side.
    """
    if isinstance(source, str | os.PathLike):
        source = path = user_path(source)
        if path.suffix.lower() == ".npz" and path.is_file() and is_stats_file(path):
            found = StatsSource(path, StatsFile.read(path))
            found.check_side(side)
            return found
    return open_real(source) if side == "real" else open_fake(source)


def _weights(file: StatsFile) -> str:
    digests = {f"{name} {digest[:8]}" for found in file.weights.values() for name, digest in found.items()}
    return ", ".join(sorted(digests)) or "none"
