"""Merging statistics files of one side: its shards, and those of its other protocols and networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from fvd_bench.errors import ArgumentError, SourceError
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.statistics.recorded import missing_videos
from fvd_bench.evaluation.statistics.side_statistics import side_statistics
from fvd_bench.features.distributed import WHOLE
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.features.store import Entry
from fvd_bench.inspection.motion_of_sides import motion_key
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import ClipRule, FeatureRule
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike, open_source
from fvd_bench.words import counted, listed


def merge(
    files: Mapping[str, StatsFile],
    *,
    source: SourceLike | None = None,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> StatsFile:
    """Join the files of one side: its shards, and those of other protocols and networks. Their order does not matter.

    files: each file by the name that messages call it. source: the videos, to compute features that no file holds. A
    protocol that wants some of many videos replaces an unusable one by another, which no shard may have taken.
    Raises SourceError that names what does not fit or is missing, and ArgumentError where there is no file; with a
    source also what `make` raises.
    """
    if not files:
        raise ArgumentError("no statistics files are given: expected one or more, name -> file")
    kinds: dict[object, dict[str, StatsFile]] = {}
    for name, file in files.items():
        kinds.setdefault(tuple(map(_features_of, file.protocols)), {})[name] = file
    (first_name, first), *others = files.items()
    are_whole = len(kinds) > 1 and not any(_without(shards.values()) for shards in kinds.values())
    for name, file in others:
        _check_alike(first_name, first, name, file, may_differ=("protocols", "weights") if are_whole else ())
    _check_software(files)
    contents = {i: digest for file in files.values() for i, digest in file.contents.items()}
    for name, file in files.items():
        for i, digest in file.contents.items():
            if contents[i] != digest:
                raise SourceError(f"{name}: {file.names[i]} has other contents than in another file")
    wholes = {", ".join(shards): _joined(shards, source, settings, progress) for shards in kinds.values()}
    return _united(wholes)


def _united(wholes: Mapping[str, StatsFile]) -> StatsFile:
    """Return one file of all protocols and networks. wholes: each file, complete, by what messages call it."""
    (first_name, first), *others = wholes.items()
    for name, file in others:
        if file.contents != first.contents:
            raise SourceError(f"{name} and {first_name} are not of the same videos: one has some that the other lacks")
    files = wholes.values()
    return dataclasses.replace(
        first,
        protocols=tuple(dict.fromkeys(protocol for file in files for protocol in file.protocols)),
        weights={rule: digests for file in files for rule, digests in file.weights.items()},
        versions={name: version for file in files for name, version in file.versions.items()},
        entries={key: entry for file in files for key, entry in file.entries.items()},
        motion=_motion(files),
    )


def _joined(
    files: Mapping[str, StatsFile], source: SourceLike | None, settings: Settings | None, progress: Progress
) -> StatsFile:
    """Return the shards of one listing under the same protocols as one file."""
    first = next(iter(files.values()))
    joined = dataclasses.replace(
        first,
        contents={i: digest for file in files.values() for i, digest in file.contents.items()},
        unreadable={i: reason for file in files.values() for i, reason in file.unreadable.items()},
        entries={key: entry for file in files.values() for key, entry in file.entries.items()},
        motion=_motion(files.values()),
    )
    if without := _without(files.values()):
        raise SourceError(
            f"{counted(len(without), 'video', 'are', of=len(joined.names))} in none of the {len(files)} files, "
            f"{listed(without)}: give the files of all shards"
        )
    missing = missing_videos(joined)
    if not missing:
        return joined
    if source is None:
        raise SourceError(
            f"videos that could not be used are to be replaced by {listed(joined.names[p] for p in missing)}, of "
            "which no shard has features: pass --source PATH, the folder or archive of the videos"
        )
    return _completed(joined, source, settings or Settings(), progress)


def _without(shards: Collection[StatsFile]) -> list[str]:
    """List the videos that are in none of the shards of a listing."""
    known = {i for file in shards for i in (*file.contents, *file.unreadable)}
    return [name for file in list(shards)[:1] for i, name in enumerate(file.names) if i not in known]


def _completed(joined: StatsFile, source: SourceLike, settings: Settings, progress: Progress) -> StatsFile:
    """Return the file with its missing features, computed from the videos."""
    opened = open_source(source, progress)
    settings = dataclasses.replace(settings, cache=None)
    with open_evaluation(
        opened,
        opened,
        joined.protocols,
        repeats=joined.repeats,
        seed=joined.seed,
        settings=settings,
        progress=progress,
        to_score=False,
    ) as evaluation:
        here = evaluation.versions()
        if different := [name for name in here if here[name] != joined.versions.get(name)]:
            name = different[0]
            raise SourceError(
                f"the shards were made with {name} {joined.versions.get(name)}, here it is {here[name]}: complete them "
                "on a machine like those that made them"
            )
        evaluation.store.put([*joined.entries.items(), *joined.motion.items()])
        whole = side_statistics(evaluation, joined.side, WHOLE)
        if (whole.names, whole.contents) != (joined.names, joined.contents):
            raise SourceError(f"{opened.name} does not hold the videos of the shards: other names or contents")
        return dataclasses.replace(whole, path=joined.path, kind=joined.kind)


def _features_of(protocol: Protocol) -> tuple[ClipRule, ClipRule, FeatureRule]:
    """Return the choices of a protocol that features depend on: not its metrics, which are computed later."""
    return protocol.real.effective(), protocol.fake.effective(), protocol.features


def _check_alike(first_name: str, first: StatsFile, name: str, file: StatsFile, *, may_differ: Sequence[str]) -> None:
    """Raise SourceError when two files cannot be of one side. may_differ: parts of their identity that may."""
    mine, theirs = _identity(first), _identity(file)
    for what, value in mine.items():
        if theirs[what] != value and what not in may_differ:
            raise SourceError(f"{name} and {first_name} are not of one kind: their {what} differ")


def _check_software(files: Mapping[str, StatsFile]) -> None:
    """Raise SourceError when any two files name different versions of one library or device.

    A library that one network alone needs may be in some files alone. How a network computes is compared among all
    files that have the network, also where some do not say it.
    """
    found: dict[str, tuple[str | None, str]] = {}
    for name, file in files.items():
        networks = {protocol.features.extractor for protocol in file.protocols}
        for what in file.versions.keys() | networks:
            version, other = found.setdefault(what, (file.versions.get(what), name))
            if version != file.versions.get(what):
                raise SourceError(
                    f"{name} and {other} are not of one kind: their versions of software or device differ"
                )


def _motion(files: Collection[StatsFile]) -> dict[str, Entry]:
    """Return the motion in all files under the keys of the first one. Keys name the processor that measured it, which
    may differ from file to file."""
    found: dict[str, Entry] = {}
    versions = next(iter(files)).motion_versions
    for file in files:
        own = file.motion_versions
        contents = file.contents.values() if own != versions else ()
        keys = {motion_key(content, own): motion_key(content, versions) for content in contents}
        found |= {keys.get(key, key): entry for key, entry in file.motion.items()}
    return found


def _identity(file: StatsFile) -> dict[str, object]:
    return {
        "sides": file.side,
        "listings": file.names,
        "seeds": (file.seed, file.repeats),
        "protocols": [_features_of(p) for p in file.protocols],
        "weights": {rule: dict(digests) for rule, digests in file.weights.items()},
    }
