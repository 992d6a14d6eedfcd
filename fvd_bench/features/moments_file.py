"""A file of moments: what `moments_in_pieces` keeps of one side under one protocol, for sides of very many clips.

It is an uncompressed .npz archive. Its member `fvd_bench_moments` holds a JSON text, `counts` [P], `means` [P, D] and
`covariances` [P, D, D] the moments of each piece in float64, `sample` [n, D], `ranks` [n] and `owners` [n] some of the
features. Files of older versions have no `owners`: each feature then counts as that of a video of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fvd_bench.errors import SourceError
from fvd_bench.features import headed_arrays
from fvd_bench.features.keys import ENGINE, UNNAMED_ENGINE
from fvd_bench.features.moments import Moments
from fvd_bench.features.moments_in_pieces import MOST_PIECES, Pieces
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.version import __version__

SCHEMA = 1

_HEAD = "fvd_bench_moments"


@dataclass(frozen=True, slots=True, eq=False)
class MomentsFile:
    """The contents of a file.

    side, protocol, seed: what the features serve.
    path, kind: those of the source, as a result names it.
    videos: number of videos in the listing. listing: sha256 of their names.
    shards: the number of each shard in it, and how many shards there are.
    contents: the sum of digests of each video in it, see `placed`, which does not depend on shards.
    skipped: reason by name for each video that was skipped.
    weights, versions: as in a `StatsFile`, of the one network. engine: the version of our own arithmetic, see `keys`.
    """

    side: Side
    protocol: Protocol
    seed: int
    path: str
    kind: str
    videos: int
    listing: str
    shards: tuple[tuple[int, int], ...]
    contents: str
    skipped: Mapping[str, str]
    weights: Mapping[str, str]
    versions: Mapping[str, str]
    pieces: Pieces
    engine: int = ENGINE

    def write(self, file: Path) -> None:
        """Write the file, whole or not at all. Raises SourceError."""
        moments = self.pieces.moments
        arrays: dict[str, Any] = {
            "counts": np.array([each.count for each in moments], dtype=np.int64),
            "means": np.stack([each.mean for each in moments]),
            "covariances": np.stack([each.cov_by(0) for each in moments]),
            "sample": self.pieces.sample,
            "ranks": self.pieces.ranks,
            "owners": self.pieces.owners,
        }
        head = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "pieces"}
        head |= {"schema": SCHEMA, "fvd_bench": __version__, "protocol": self.protocol.to_table()}
        head |= {name: dict(head[name]) for name in ("skipped", "weights", "versions")}
        headed_arrays.write(file, _HEAD, {**head, "checksum": _checksum(head, arrays)}, arrays)

    @classmethod
    def read(cls, path: Path) -> MomentsFile:
        """Read a file. Raises SourceError when it is damaged, or not of this schema."""
        try:
            head, arrays = headed_arrays.read(path, _HEAD)
            if head["schema"] != SCHEMA:
                raise SourceError(
                    f"{path} is a file of moments of schema {head['schema']!r}; this version reads {SCHEMA}"
                )
            if head.pop("checksum") != _checksum(head, arrays):
                raise ValueError("its checksum does not fit")
            if head["side"] not in SIDES:
                raise ValueError(f"its side is {head['side']!r}")
            del head["schema"], head["fvd_bench"]
            head["engine"] = int(head.get("engine", UNNAMED_ENGINE))
            head["protocol"] = Protocol.from_table(head["protocol"], where=str(path))
            head["shards"] = tuple((int(part), int(parts)) for part, parts in head["shards"])
            return cls(**head, pieces=_pieces(arrays))
        except headed_arrays.DAMAGED as error:
            raise headed_arrays.refusal(path, "a file of moments", error, again="fvd-bench stats --moments") from error


def is_moments_file(path: Path) -> bool:
    """Return whether a file has the array that marks a file of moments."""
    return headed_arrays.is_one(path, _HEAD)


_SAME = {
    "side": "sides", "seed": "seeds", "listing": "listings of videos", "weights": "weights",
    "versions": "versions of software or device", "engine": "engines",
}  # fmt: skip
"""What the shards of one side have in common, and what it is called."""


def joined(files: Mapping[str, MomentsFile]) -> MomentsFile:
    """Join the shards of one side, each by the name that messages call it. The order of the files does not matter.

    Raises SourceError that names what does not fit or is missing.
    """
    ordered = dict(sorted(files.items(), key=lambda each: each[1].shards))
    (first_name, whole), *others = ordered.items()
    for name, file in others:
        for what, called in _SAME.items():
            if getattr(file, what) != getattr(whole, what):
                raise SourceError(f"{name} and {first_name} are not of one kind: their {called} differ")
        if file.protocol.digest() != whole.protocol.digest():
            raise SourceError(f"{name} and {first_name} are not of one kind: their protocols differ")
        if again := set(file.shards) & set(whole.shards):
            part, parts = min(again)
            raise SourceError(f"{name} holds shard {part}/{parts}, which another file holds too: give it once")
        whole = dataclasses.replace(
            whole,
            shards=(*whole.shards, *file.shards),
            contents=added(whole.contents, file.contents),
            skipped={**whole.skipped, **file.skipped},
            pieces=whole.pieces.joined(file.pieces),
        )
    splits = {of for _, of in whole.shards}
    missing = sorted({*range(1, max(splits) + 1)} - {part for part, _ in whole.shards})
    if len(splits) > 1 or missing:
        what = (
            f"of several splits, into {sorted(splits)}"
            if len(splits) > 1
            else f"without shard {missing[0]}/{max(splits)}"
        )
        raise SourceError(f"what is given is {what}: give the files of all shards of one split")
    return dataclasses.replace(whole, shards=((1, 1),), pieces=whole.pieces.fewer(MOST_PIECES))


def placed(index: int, content: str) -> str:
    """Return the sha256 of a video's content digest and its place in the listing, which decides where its clip starts
    where that is random."""
    return hashlib.sha256(f"{index} {content}".encode()).hexdigest()


def added(digest: str, *others: str) -> str:
    """Return the sum of sha256 digests, modulo 2^256: one digest of a set, in any order."""
    return f"{sum(int(each, 16) for each in (digest, *others)) % 2**256:064x}"


def _pieces(arrays: Mapping[str, Any]) -> Pieces:
    """Make the pieces of a file. Raises SourceError and ValueError where they cannot be those of any features."""
    counts, means, covariances = arrays["counts"], arrays["means"], arrays["covariances"]
    sample, ranks = arrays["sample"], arrays["ranks"]
    owners = arrays.get("owners", (ranks >> np.uint64(1)).astype(np.int64))  # other ones in each shard
    if not (len(counts) == len(means) == len(covariances) > 0) or sample.shape != (len(ranks), means.shape[1]):
        raise ValueError("its arrays do not fit together")
    if sample.dtype != np.float32 or ranks.dtype != np.uint64 or not np.isfinite(sample).all() or counts.min() < 1:
        raise ValueError("its sample or its counts are no such")
    if owners.dtype != np.int64 or owners.shape != ranks.shape:
        raise ValueError("its owners are no such")
    moments = tuple(
        dataclasses.replace(Moments.checked(mean, cov, count=max(2, int(count)), ddof=0), count=int(count))
        for count, mean, cov in zip(counts, means, covariances, strict=True)
    )
    return Pieces(moments, sample, ranks, owners)


def _checksum(head: Mapping[str, Any], arrays: Mapping[str, Any]) -> str:
    whole = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        whole.update(f"{name} {array.dtype.str} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()
