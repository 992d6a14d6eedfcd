"""A statistics file: the features of one side of an evaluation, to be scored later and elsewhere.

It is an uncompressed .npz archive. Its member `fvd_bench_stats` holds a JSON text, which says what the features were
made from and how, and which rows of the members `features_DIM`, float32 [N, DIM], belong to which video. So it is an
excerpt of the feature store, and gives exactly the digits that the videos would give.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError
from fvd_bench.features import headed_arrays
from fvd_bench.features.store import Entry, Facts
from fvd_bench.paths import user_path
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.version import __version__

SCHEMA = 1

_HEAD = "fvd_bench_stats"
_FEATURES, _MOTION = "features_{}", "motion_{}"


@dataclass(frozen=True, slots=True)
class StatsFile:
    """The contents of a statistics file.

    side: the side that the features are for.
    protocols, seed, repeats: what the features serve.
    path, kind: those of the source, as a result names it.
    names: the names of the whole listing.
    contents: content digests of videos, by index.
    unreadable: why a video has no content digest, by index. Videos in neither belonged to another shard.
    weights: digests of the weights, by the signature of the feature rule.
    versions: versions of all software that can change the features.
    motion_versions: versions of all software that can change the measured motion.
    entries: features, as entries of the feature store by key.
    motion: measured motion, as entries of the feature store by key.
    value_range: the range that was stated for arrays of floats. None if none was.
    """

    side: Side
    protocols: tuple[Protocol, ...]
    seed: int
    repeats: int
    path: str
    kind: str
    names: tuple[str, ...]
    contents: Mapping[int, str]
    unreadable: Mapping[int, str]
    weights: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, str]
    motion_versions: Mapping[str, str]
    entries: Mapping[str, Entry]
    motion: Mapping[str, Entry]
    value_range: tuple[float, float] | None = None

    def write(self, file: Path) -> None:
        """Write the file, whole or not at all. Raises SourceError."""
        arrays: dict[str, NDArray[Any]] = {}
        rows = {
            "entries": _packed(self.entries, _FEATURES, arrays),
            "motion": _packed(self.motion, _MOTION, arrays),
        }
        head = {
            "schema": SCHEMA,
            "fvd_bench": __version__,
            "side": self.side,
            "protocols": {p.digest(): p.to_table() for p in self.protocols},
            "seed": self.seed,
            "repeats": self.repeats,
            "path": self.path,
            "kind": self.kind,
            "names": self.names,
            "contents": {str(index): digest for index, digest in sorted(self.contents.items())},
            "unreadable": {str(index): reason for index, reason in sorted(self.unreadable.items())},
            "weights": {rule: dict(digests) for rule, digests in self.weights.items()},
            "versions": dict(self.versions),
            "motion_versions": dict(self.motion_versions),
            "value_range": self.value_range,
            **rows,
        }
        headed_arrays.write(file, _HEAD, {**head, "checksum": _checksum(head, arrays)}, arrays)

    @classmethod
    def read(cls, path: Path) -> StatsFile:
        """Read a file. Raises SourceError when it is damaged, or not a statistics file of this schema."""
        path = user_path(path)
        try:
            head, arrays = headed_arrays.read(path, _HEAD)
            if head["schema"] != SCHEMA:
                raise SourceError(
                    f"{path} is a statistics file of schema {head['schema']!r}; this version reads {SCHEMA}"
                )
            checksum = head.pop("checksum")
            if checksum != _checksum(head, arrays):
                raise ValueError("its checksum does not fit")
            if head["side"] not in SIDES:
                raise ValueError(f"its side is {head['side']!r}")
            return cls(
                side=head["side"],
                protocols=tuple(Protocol.from_table(table, where=str(path)) for table in head["protocols"].values()),
                seed=int(head["seed"]),
                repeats=int(head["repeats"]),
                path=str(head["path"]),
                kind=str(head["kind"]),
                names=tuple(map(str, head["names"])),
                contents={int(index): str(digest) for index, digest in head["contents"].items()},
                unreadable={int(index): str(reason) for index, reason in head["unreadable"].items()},
                weights={str(rule): dict(digests) for rule, digests in head["weights"].items()},
                versions=dict(head["versions"]),
                motion_versions=dict(head["motion_versions"]),
                entries=_unpacked(head["entries"], _FEATURES, arrays, finite=True),
                motion=_unpacked(head["motion"], _MOTION, arrays, finite=False),  # NaN stands for what has no answer
                value_range=_range(head.get("value_range")),
            )
        except headed_arrays.DAMAGED as error:
            raise headed_arrays.refusal(path, "a statistics file", error, again="fvd-bench stats") from error


def is_stats_file(path: Path) -> bool:
    """Return whether a file has the array that marks a statistics file."""
    return headed_arrays.is_one(path, _HEAD)


def _packed(entries: Mapping[str, Entry], form: str, arrays: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """Put the features of entries into arrays by their length. Return key, facts, length and rows of each entry, for
    JSON."""
    rows: list[list[Any]] = []
    parts: dict[int, list[NDArray[np.float32]]] = {}
    for key, entry in sorted(entries.items()):
        count, dim = entry.features.shape
        rows.append([key, asdict(entry.facts), dim, count])
        parts.setdefault(dim, []).append(entry.features)
    arrays |= {form.format(dim): np.concatenate(found) for dim, found in parts.items()}
    return rows


def _unpacked(rows: list[Any], form: str, arrays: Mapping[str, NDArray[Any]], *, finite: bool) -> dict[str, Entry]:
    """Return the entries that `_packed` stored. Raises ValueError, and other errors for values of wrong types."""
    entries: dict[str, Entry] = {}
    used: dict[str, int] = {}
    for key, facts, dim, count in rows:
        name = form.format(dim)
        first = used.get(name, 0)
        features = arrays[name][first : first + count]
        if features.shape != (count, dim) or features.dtype != np.float32:
            raise ValueError(f"features of {key[:12]} are {features.dtype} {list(features.shape)}")
        if finite and not np.isfinite(features).all():
            raise ValueError(f"features of {key[:12]} are not finite")
        used[name] = first + count
        entries[key] = Entry(features, Facts.from_values(facts))
    return entries


def _range(values: Any) -> tuple[float, float] | None:
    """Return a value range from JSON. Raises TypeError, ValueError."""
    if values is None:
        return None
    low, high = map(float, values)
    return low, high


def _checksum(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    whole = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        whole.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()
