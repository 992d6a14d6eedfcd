"""Features once, scores later: make a statistics file of a side, in shards on many machines, and merge the shards."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence

from fvd_bench.errors import SourceError
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.findings import refuse_skipped
from fvd_bench.evaluation.statistics.merging import merge
from fvd_bench.evaluation.statistics.side_statistics import side_statistics
from fvd_bench.features.distributed import Share
from fvd_bench.features.moments_file import MomentsFile, added, placed
from fvd_bench.features.moments_in_pieces import PIECES, Pieces
from fvd_bench.features.stats_file import StatsFile, is_stats_file
from fvd_bench.paths import user_path
from fvd_bench.progress import Progress, labelled, silent
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import Side
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike, open_source
from fvd_bench.words import counted

__all__ = ["make", "make_moments", "merge"]


def make(
    source: SourceLike,
    side: Side,
    protocol: ProtocolLike | Sequence[ProtocolLike] = "stylegan-v-fvd16",
    *,
    repeats: int = 1,
    seed: int = 0,
    shard: tuple[int, int] = (1, 1),
    settings: Settings | None = None,
    progress: Progress = silent,
) -> StatsFile:
    """Compute everything about the videos of a side that scoring needs.

    source, protocol, repeats, seed: as in `evaluate`. shard: (i, n) for the i-th of n machines, counted from 1; each
    machine takes every n-th video of the listing. Raises FvdBenchError as `evaluate` does.
    """
    with _opened(
        source, protocol, repeats=repeats, seed=seed, shard=shard, settings=settings, progress=progress
    ) as evaluation:
        return side_statistics(evaluation, side, evaluation.share if shard == (1, 1) else _share(shard))


def make_moments(
    source: SourceLike,
    side: Side,
    protocol: ProtocolLike = "stylegan-v-fvd16",
    *,
    seed: int = 0,
    shard: tuple[int, int] = (1, 1),
    settings: Settings | None = None,
    progress: Progress = silent,
) -> MomentsFile:
    """Compute the moments of a side of very many clips, of which no features are kept but in the feature store.

    The arguments are those of `make`, which raises the same.
    """
    with _opened(
        source, protocol, repeats=1, seed=seed, shard=shard, settings=settings, progress=progress
    ) as evaluation:
        (only,) = evaluation.protocols
        _check_moments(evaluation, only, side, shard)
        videos, extraction = evaluation.sources[side], evaluation.extraction(side, _share(shard))
        job = evaluation.jobs(only, side)[0]
        collected = extraction.collect([job], labelled(evaluation.progress, "videos"))[job]
        if evaluation.strict:
            refuse_skipped({job: collected})
        if collected.refused is not None:
            raise SourceError(f"{videos.name}: {collected.refused}")
        contents = extraction.contents
        features = ((contents[video], found) for video, found in extraction.features(collected))
        pieces = Pieces.of(features, seed=seed, pieces=-(-PIECES // shard[1]))
        if pieces is None:
            of_shard = sum(map(_share(shard).has, range(len(videos.names))))
            what = f"shard {shard[0]}/{shard[1]} of {videos.name}" if shard != (1, 1) else videos.name
            advice = "" if shard == (1, 1) else ": moments are of some clips, so cut the side into fewer shards"
            raise SourceError(f"{what} has {counted(of_shard, 'video')}, none of which gives a clip{advice}")
        return MomentsFile(
            side=side,
            protocol=only,
            seed=seed,
            path=videos.name,
            kind=videos.kind,
            videos=len(videos.names),
            listing=hashlib.sha256("\0".join(videos.names).encode("utf-8", "surrogateescape")).hexdigest(),
            shards=(shard,),
            contents=added("0", *(placed(index, digest) for index, digest in contents.items())),
            skipped=collected.skipped,
            weights=dict(evaluation.extractors[job.features].weights),
            versions=evaluation.versions(),
            pieces=pieces,
        )


@contextlib.contextmanager
def _opened(
    source: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike],
    *,
    repeats: int,
    seed: int,
    shard: tuple[int, int],
    settings: Settings | None,
    progress: Progress,
) -> Iterator[Evaluation]:
    """Open an evaluation whose sides both are the source. Raises SourceError for a shard that is none, and for a file
    of statistics."""
    part, parts = shard
    if not 1 <= part <= parts:
        raise SourceError(f"shard {part}/{parts}: expected the number of a shard, from 1 on, and how many there are")
    if isinstance(source, str | os.PathLike) and is_stats_file(user_path(source)):
        raise SourceError(f"{source} is a statistics file already")
    opened = open_source(source, progress)
    with open_evaluation(
        opened,
        opened,
        protocol,
        repeats=repeats,
        seed=seed,
        settings=settings or Settings(),
        progress=progress,
        to_score=False,
    ) as evaluation:
        yield evaluation


def _share(shard: tuple[int, int]) -> Share:
    part, parts = shard
    return Share(part - 1, parts)


def _check_moments(evaluation: Evaluation, protocol: Protocol, side: Side, shard: tuple[int, int]) -> None:
    """Raise SourceError where moments of a side cannot be made under a protocol, or not in shards."""
    rule = protocol.clip_rule(side)
    if shard != (1, 1) and rule.count is not None:
        raise SourceError(
            f"{protocol.name} takes {rule.count} of the {side} videos, and shards cannot know which of them have to be "
            "replaced: leave out `stats --shard`"
        )
    if evaluation.share.exchanged:
        raise SourceError("moments are made by one process: take `stats --shard` in place of torchrun")
    if evaluation.jobs(protocol, side)[0].draw.reads != side:
        raise SourceError(
            f"{protocol.name} makes its {side} clips of real videos: these are the side to make moments of"
        )
