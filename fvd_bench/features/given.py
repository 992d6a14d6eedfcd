"""A side as it was given: videos, a statistics file, or statistics that another program made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from fvd_bench.errors import NotComparableError, SourceError
from fvd_bench.features.distributed import WHOLE, Share
from fvd_bench.features.extraction import Target
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.foreign import ForeignStats, is_foreign_stats
from fvd_bench.features.stats_file import StatsFile, is_stats_file
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import Finding
from fvd_bench.paths import user_path
from fvd_bench.protocols.rules import ClipRule, Side
from fvd_bench.sources.listing import fingerprint
from fvd_bench.sources.opening import ClipSource, SourceLike, check_something_decodes, open_source
from fvd_bench.videos.absent_video import AbsentVideo


class Given:
    """A side, and what depends on whether its features are made here. As it stands, a side of videos: they are.

    source: its names and videos. has_frames: whether these can be looked at. known: all that there is to know of the
    features, where no video is behind them.
    """

    has_frames = True
    known: FeatureSet | None = None

    def __init__(self, source: ClipSource) -> None:
        self.source = source

    def check_readable(self) -> None:
        """Raises SourceError when no video can be decoded."""
        check_something_decodes(self.source)

    def check_serves(self, fake: ClipRule, *, dim: int) -> None:
        """Raises SourceError when a protocol cannot use the side. fake: its rule for fakes; dim: of its features."""

    def check_holds(self, missing: Callable[[], Sequence[Target]]) -> None:
        """Raises SourceError when features are missing that cannot be made here. missing: finds out which are."""

    def store(self, shared: FeatureStore) -> AbstractContextManager[FeatureStore]:
        """The store that its features are in. shared: that of sides whose features are made here."""
        return contextlib.nullcontext(shared)

    def versions(self, here: Mapping[str, str]) -> Mapping[str, str]:
        """Versions of all software that reaches the features. here: those of this machine."""
        return here

    def motion_versions(self, here: Mapping[str, str]) -> Mapping[str, str]:
        """The same for how the videos move."""
        return here

    def share(self, share: Share) -> Share:
        """What this process has to read of the side. share: of videos, in this run."""
        return share

    def fingerprint(self, contents: Mapping[int, str]) -> str:
        """sha256 over the names and contents of all videos, in order. contents: by index, of those that can be read."""
        names = self.source.names
        return fingerprint(names, (contents.get(index, "unreadable") for index in range(len(names))))

    def findings(self, side: Side, here: Mapping[str, str]) -> Iterator[Finding]:
        """What people should know of a side that was given like this. here: as for `versions`."""
        return iter(())


class GivenFile(Given):
    """A statistics file: videos whose features are known and whose frames are elsewhere."""

    has_frames = False

    def __init__(self, path: Path, file: StatsFile) -> None:
        super().__init__(_Listed(path, file))
        self._path = path
        self._file = file

    def check_readable(self) -> None:
        """There is nothing to decode."""

    def check_holds(self, missing: Callable[[], Sequence[Target]]) -> None:
        if not missing():
            return
        file = self._file
        held = ", ".join(p.name for p in file.protocols)
        last = file.seed + file.repeats - 1
        raise SourceError(
            f"{self._path} does not hold all features that are asked for: it was made for {held}, with the seeds "
            f"{file.seed} to {last}, and the weights {_weights(file)}; ask for these, or make another with "
            "`fvd-bench stats`; if these are asked for, an older version of fvd-bench made the file, from other frames "
            "or by other arithmetic, and it has to be made again"
        )

    def store(self, shared: FeatureStore) -> AbstractContextManager[FeatureStore]:
        """One of its own, as what a file claims must not reach that of others."""
        return self.held()

    @contextlib.contextmanager
    def held(self) -> Iterator[FeatureStore]:
        """A store of what the file holds."""
        with contextlib.closing(FeatureStore(None)) as own:
            own.put(self._file.entries.items())
            own.put(self._file.motion.items())
            yield own

    def versions(self, here: Mapping[str, str]) -> Mapping[str, str]:
        return dict(self._file.versions)

    def motion_versions(self, here: Mapping[str, str]) -> Mapping[str, str]:
        return dict(self._file.motion_versions)

    def share(self, share: Share) -> Share:
        return WHOLE

    def findings(self, side: Side, here: Mapping[str, str]) -> Iterator[Finding]:
        made = self._file.versions
        other = [f"{name} {made.get(name)} (here {here[name]})" for name in here if made.get(name) != here[name]]
        if other:
            made_with = f"the {side} features were made with {', '.join(other)}"
            why = "that may move the score in its last digits, or with other decoders by more"
            yield Finding("made-elsewhere", f"{made_with}: {why}", side=side)


class GivenStats(Given):
    """Statistics that another program made: features or moments, and no videos."""

    has_frames = False

    def __init__(self, stats: ForeignStats) -> None:
        super().__init__(stats)
        self._stats = stats
        self.known = stats.features

    def check_readable(self) -> None:
        """There is nothing to decode."""

    def check_serves(self, fake: ClipRule, *, dim: int) -> None:
        self._stats.check(dim, takes_real=fake.takes_real)

    def fingerprint(self, contents: Mapping[int, str]) -> str:
        """That of the file."""
        return self._stats.digest

    def findings(self, side: Side, here: Mapping[str, str]) -> Iterator[Finding]:
        yield Finding("unknown-protocol", self._stats.warning, side=side)


def open_side(source: SourceLike, side: Side) -> Given:
    """Open a side: videos, a statistics file, or on the real side the statistics of other programs.

    Raises SourceError, and NotComparableError for a statistics file of the other side.
    """
    if isinstance(source, str | os.PathLike):
        source = path = user_path(source)
        if path.suffix.lower() == ".npz" and path.is_file() and is_stats_file(path):
            file = StatsFile.read(path)
            if file.side != side:
                raise NotComparableError(
                    f"{path} holds features for the {file.side} side, and is given as the {side} one: clips are "
                    f"not drawn alike on both; make it with `fvd-bench stats --side {side}`"
                )
            return GivenFile(path, file)
        if is_foreign_stats(path):
            if side == "fake":
                raise SourceError(f"{path} holds statistics, which can be the real side only: pass the fake videos")
            return GivenStats(ForeignStats.read(path))
    return Given(open_source(source))


@dataclass(frozen=True)
class _Listed:
    """The videos that a statistics file lists."""

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

    def video(self, index: int) -> AbsentVideo:
        unread = self.file.unreadable.get(index, "it was another shard's: merge all shards first")
        return AbsentVideo(self.file.contents.get(index), unread, "its frames are not in the statistics file")


def _weights(file: StatsFile) -> str:
    digests = {f"{name} {digest[:8]}" for found in file.weights.values() for name, digest in found.items()}
    return ", ".join(sorted(digests)) or "none"
