"""A side as it was given: videos, a statistics file or moments of ours, or statistics of another program."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from fvd_bench.errors import SourceError
from fvd_bench.features.distributed import WHOLE, Share
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.keys import ENGINE
from fvd_bench.finding import Finding
from fvd_bench.protocols.rules import ClipRule, FeatureRule, Side
from fvd_bench.sources.clip_source import columns_of, fingerprint
from fvd_bench.sources.opening import ClipSource, check_something_decodes
from fvd_bench.videos.absent_video import AbsentVideo
from fvd_bench.videos.video import Video
from fvd_bench.words import counted

if TYPE_CHECKING:
    from fvd_bench.features.foreign import ForeignStats
    from fvd_bench.features.jobs import Job, Target
    from fvd_bench.features.moments_file import MomentsFile
    from fvd_bench.features.stats_file import StatsFile
    from fvd_bench.features.store import FeatureStore
    from fvd_bench.networks import FeatureExtractor

OTHER_SHARD = "it was another shard's: merge all shards first"
"""Why a video that belongs to another shard of a statistics file is not used."""


class Given:
    """A side, with the answers to all that depends on how it was given. This class is for sides of videos.

    source: the names and the videos of the side.
    has_frames: whether frames of the videos can be read.
    known: all that is known of the features, if there are no videos behind them. Else None.
    known_videos: how many videos `known` was made of, at most. None where that is not known.
    skipped: reason by name for each video that was skipped when `known` was made.
    """

    has_frames = True
    known: FeatureSet | None = None
    known_videos: int | None = None
    skipped: Mapping[str, str] = MappingProxyType({})

    def __init__(self, source: ClipSource) -> None:
        self.source = source

    @property
    def columns(self) -> Mapping[str, Sequence[str]]:
        """For each column of a list of videos, its entries in the order of the videos."""
        return columns_of(self.source)

    def check_readable(self) -> None:
        """Raise SourceError when no video can be decoded."""
        check_something_decodes(self.source)

    def check_serves(self, fake: ClipRule, *, dim: int) -> None:
        """Raise SourceError when a protocol cannot use the side.

        fake: the protocol's rule for fake clips. dim: length of its features.
        """

    def check_holds(self, missing: Callable[[], Sequence[Target]]) -> None:
        """Raise SourceError when features are missing that cannot be computed here. missing: finds the missing ones."""

    def check_jobs(self, jobs: Sequence[Job], extractors: Mapping[FeatureRule, FeatureExtractor]) -> None:
        """Raise SourceError when the side cannot serve jobs that read it. extractors: the network of each."""

    def store(self, shared: FeatureStore) -> AbstractContextManager[FeatureStore]:
        """Return the store that holds the side's features. shared: the store of sides whose features are computed
        here."""
        return contextlib.nullcontext(shared)

    def versions(self, here: Mapping[str, str]) -> Mapping[str, str]:
        """Return the versions of all software that can change the features. here: the versions on this machine."""
        return here

    def motion_versions(self, here: Mapping[str, str]) -> Mapping[str, str]:
        """Return the versions of all software that can change the measured motion. here: the versions on this
        machine."""
        return here

    def share(self, share: Share) -> Share:
        """Return what this process has to read of the side. share: its share of videos in this run."""
        return share

    def fingerprint(self, contents: Mapping[int, str]) -> str:
        """Return the sha256 over the names and contents of all videos, in order.

        contents: the digest by index, for each video that can be read.
        """
        names = self.source.names
        return fingerprint(names, (contents.get(index, "unreadable") for index in range(len(names))))

    def findings(self, side: Side, here: Mapping[str, str]) -> Iterator[Finding]:
        """Yield what people should know about a side that was given like this. here: the versions on this machine."""
        return iter(())


class GivenFile(Given):
    """A statistics file: videos whose features are known and whose frames are elsewhere."""

    has_frames = False

    def __init__(self, name: str, file: StatsFile) -> None:
        super().__init__(_Listed(name, file))
        self._file = file

    def check_readable(self) -> None:
        """Check nothing, as there is nothing to decode."""

    def check_holds(self, missing: Callable[[], Sequence[Target]]) -> None:
        if not missing():
            return
        file = self._file
        held = ", ".join(p.name for p in file.protocols)
        last = file.seed + file.repeats - 1
        seeds = f"the seed {file.seed}" if file.repeats == 1 else f"the seeds {file.seed} to {last}"
        raise SourceError(
            f"{self.source.name} does not hold all features that are asked for: it was made for {held}, with {seeds}, "
            f"and the weights {_weights(file)}; ask for these, or make another with "
            "`fvd-bench stats`; if these are asked for, an older version of fvd-bench made the file, from other frames "
            "or by other arithmetic, and it has to be made again"
        )

    def store(self, shared: FeatureStore) -> AbstractContextManager[FeatureStore]:
        """Return a store of its own, since what a file claims must not reach the store of other sides."""
        return self.held()

    @contextlib.contextmanager
    def held(self) -> Iterator[FeatureStore]:
        """Open a store of what the file holds."""
        from fvd_bench.features.store import FeatureStore

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
        file = self._file
        known = file.contents.keys() | file.unreadable.keys()
        absent = {name: "" for index, name in enumerate(file.names) if index not in known}
        if absent:
            lacking = counted(len(absent), "video", "are", of=len(file.names))
            what = f"the {side} features are one shard of several: {lacking} not in it"
            yield Finding.of("shard-alone", f"{what}; merge all shards first", absent, side=side)
        yield from made_elsewhere(file.versions, here, side)


def made_elsewhere(made: Mapping[str, str], here: Mapping[str, str], side: Side) -> Iterator[Finding]:
    """Yield a warning where features were made with other software than that here."""
    other = [f"{name} {made.get(name)} (here {here[name]})" for name in here if made.get(name) != here[name]]
    if other:
        made_with = f"the {side} features were made with {', '.join(other)}"
        why = "that may move the score in its last digits, or with other decoders by more"
        yield Finding("made-elsewhere", f"{made_with}: {why}", side=side)


class GivenStats(Given):
    """Statistics of another program: features or moments, and no videos."""

    has_frames = False

    def __init__(self, stats: ForeignStats) -> None:
        super().__init__(stats)
        self._stats = stats
        self.known = stats.features
        self.known_videos = stats.features.count or None

    def check_readable(self) -> None:
        """Check nothing, as there is nothing to decode."""

    def check_serves(self, fake: ClipRule, *, dim: int) -> None:
        self._stats.check(dim, takes_real=fake.takes_real)

    def fingerprint(self, contents: Mapping[int, str]) -> str:
        """Return the digest of the file."""
        return self._stats.digest

    def findings(self, side: Side, here: Mapping[str, str]) -> Iterator[Finding]:
        yield Finding("unknown-protocol", self._stats.warning, side=side)


class GivenMoments(Given):
    """Moments of known clips: they serve one protocol and one seed."""

    has_frames = False

    def __init__(self, name: str, file: MomentsFile) -> None:
        super().__init__(_Unlisted(name, f"moments of {file.videos} {file.kind}"))
        self._file = file
        self.known = FeatureSet.of_pieces(file.pieces)
        self.known_videos = min(file.pieces.count, file.videos)
        self.skipped = file.skipped

    def check_readable(self) -> None:
        """Check nothing, as there is nothing to decode."""

    def check_jobs(self, jobs: Sequence[Job], extractors: Mapping[FeatureRule, FeatureExtractor]) -> None:
        file = self._file
        if file.engine != ENGINE:
            raise SourceError(
                f"{self.source.name} was made by another version of fvd-bench, from other frames or by other "
                f"arithmetic (engine {file.engine}, here it is {ENGINE}): make it again with `fvd-bench stats "
                "--moments`"
            )
        rule = file.protocol.clip_rule(file.side).effective()
        for job in jobs:
            weights = dict(extractors[job.features].weights)
            made = (rule, file.seed, file.protocol.features, file.side, dict(file.weights))
            if (job.draw.rule.effective(), job.draw.seed, job.features, job.draw.side, weights) != made:
                raise SourceError(
                    f"{self.source.name} holds moments for {file.protocol.name} with the seed {file.seed}, and other "
                    "clips or features are asked for: ask for these in one draw, or make others with `fvd-bench stats "
                    "--moments`"
                )

    def fingerprint(self, contents: Mapping[int, str]) -> str:
        """Return the sum of digests of the videos and their places, which differs from the fingerprint of the videos
        themselves."""
        return self._file.contents

    def findings(self, side: Side, here: Mapping[str, str]) -> Iterator[Finding]:
        pieces = self._file.pieces
        if self._file.shards != ((1, 1),):
            yield Finding(
                "shard-alone", f"the {side} moments are those of one shard: merge all shards first", side=side
            )
        if self.skipped:
            what = f"{counted(len(self.skipped), f'{side} video', 'were')} skipped when the moments were made"
            yield Finding.of("videos-skipped", what, self.skipped, side=side)
        if pieces.count > len(pieces.sample):
            yield Finding(
                "sampled",
                f"of the {pieces.count:,} {side} features {len(pieces.sample):,} are kept, drawn by chance: metrics "
                "that need more than mean and covariance are computed on these",
                side=side,
            )
        yield from made_elsewhere(self._file.versions, here, side)


@dataclass(frozen=True)
class _Listed:
    """The videos that a statistics file lists, as a `ClipSource`."""

    name: str
    file: StatsFile

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
        unread = self.file.unreadable.get(index, OTHER_SHARD)
        return AbsentVideo(self.file.contents.get(index), unread, "its frames are not in the statistics file")


@dataclass(frozen=True)
class _Unlisted:
    """A `ClipSource` without videos."""

    name: str
    kind: str
    names: Sequence[str] = ()
    notes: Sequence[str] = ()

    def video(self, index: int) -> Video:
        raise IndexError("moments hold no videos")


def _weights(file: StatsFile) -> str:
    digests = {f"{name} {digest[:8]}" for found in file.weights.values() for name, digest in found.items()}
    return ", ".join(sorted(digests)) or "none"
