"""Reference: what a manifest says of a statistics file, and the text of manifests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fvd_bench.errors import ArgumentError, SourceError, cause
from fvd_bench.features.moments_file import MomentsFile, is_moments_file
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.protocols.rules import Side
from fvd_bench.records import fault, record
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.reference_names import PREFIX
from fvd_bench.words import counted

SCHEMA = 1

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Reference:
    """A statistics file of a known set, of features or of moments.

    name: of the set, as people ask for it. digest: sha256 of the file. size: of the file, in bytes.
    set: which videos these are. prepared: what was done to them before. licence: of the videos. credit: whom to name.
    side: the side that the features are for. videos: how many there are.
    fingerprint: sha256 of their names and contents, or for moments the sum of digests of their contents and places, as
        results have it.
    protocols: NAME@VERSION -> digest, of each protocol that the file was made for. seed, repeats: of its draws.
    weights: name -> digest of the tensors of each network that made the features.
    holds: what is kept of the features.
    """

    name: str
    digest: str
    size: int
    set: str
    prepared: str
    licence: str
    credit: str
    side: Side
    videos: int
    fingerprint: str
    protocols: Mapping[str, str]
    seed: int
    repeats: int
    weights: Mapping[str, str]
    holds: Literal["features", "moments"] = "features"

    def __post_init__(self) -> None:
        """Raises ValueError where a name or a digest is not of its form, or a number is below 0."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"its name is {self.name!r:.80}: expected small letters, digits, '.', '_' and '-'")
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"its digest is {self.digest!r:.80}: expected a sha256 of 64 hexadecimal digits")
        if self.size < 0 or self.videos < 0:
            raise ValueError(f"its size is {self.size} and it is of {self.videos} videos: expected none below 0")

    @classmethod
    def of(cls, path: Path, *, name: str, set: str, prepared: str, licence: str, credit: str) -> Reference:
        """Describe a statistics file. Raises SourceError for a file that is none or holds one shard alone, and
        ArgumentError for a name that is not of the form."""
        if not path.exists():
            raise SourceError(f"{path} does not exist")
        known = _of_moments(path) if is_moments_file(path) else _of_features(path)
        try:
            return cls(
                name=name,
                digest=file_digest(path),
                size=path.stat().st_size,
                set=set,
                prepared=prepared,
                licence=licence,
                credit=credit,
                **known,
            )
        except ValueError as error:
            raise ArgumentError(f"{path} cannot become a reference: {error}") from error

    @property
    def key(self) -> str:
        """NAME@DIGEST, with as many digits as people read."""
        return f"{self.name}@{self.digest[:_SHOWN_DIGITS]}"

    @property
    def shown(self) -> str:
        """What stands where the path of a side may stand."""
        return PREFIX + self.key

    @property
    def file(self) -> str:
        """The name of the statistics file in a zoo."""
        return f"{self.digest}.npz"

    @property
    def entry(self) -> str:
        """The name of the file in a zoo that holds this entry alone."""
        return f"{self.name}@{self.digest}.json"


def _of_features(path: Path) -> dict[str, Any]:
    """Return what a file of features says of itself. Raises SourceError, for a shard of several too."""
    file = StatsFile.read(path)
    absent = len(file.names) - len(file.contents.keys() | file.unreadable.keys())
    if absent:
        raise SourceError(
            f"{path} is one shard of several: {counted(absent, 'video', 'are', of=len(file.names))} not in it; merge "
            "all first"
        )
    contents = (file.contents.get(index, "unreadable") for index in range(len(file.names)))
    return {
        "side": file.side,
        "videos": len(file.names),
        "fingerprint": fingerprint(file.names, contents),
        "protocols": {f"{p.name}@{p.version}": p.digest() for p in file.protocols},
        "seed": file.seed,
        "repeats": file.repeats,
        "weights": {name: digest for digests in file.weights.values() for name, digest in digests.items()},
    }


def _of_moments(path: Path) -> dict[str, Any]:
    """Return what a file of moments says of itself. Raises SourceError, for a shard of several too."""
    file = MomentsFile.read(path)
    if file.shards != ((1, 1),):
        parts = ", ".join(f"{part}/{parts}" for part, parts in file.shards)
        raise SourceError(f"{path} is the shard {parts}: merge all first")
    return {
        "side": file.side,
        "videos": file.videos,
        "fingerprint": file.contents,
        "protocols": {f"{file.protocol.name}@{file.protocol.version}": file.protocol.digest()},
        "seed": file.seed,
        "repeats": 1,
        "weights": dict(file.weights),
        "holds": "moments",
    }


def file_digest(path: Path) -> str:
    """Return the sha256 of a file. Raises SourceError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: {cause(error)}") from error


def manifest_text(references: Iterable[Reference]) -> str:
    """Return the text of a manifest."""
    ordered = sorted(references, key=lambda reference: (reference.name, reference.digest))
    return json.dumps({"schema": SCHEMA, "references": list(map(asdict, ordered))}, indent=1) + "\n"


def read_manifest(text: bytes, where: str) -> list[Reference]:
    """Read the text of a manifest, or of an entry, which is a manifest of one. Raises SourceError, naming `where`."""
    try:
        table = json.loads(text)
        if table["schema"] != SCHEMA:
            raise SourceError(f"{where} is of schema {table['schema']!r:.60}; this version reads {SCHEMA}")
        found: tuple[Reference, ...] = record(tuple[Reference, ...], table["references"], "references")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"{where} cannot be read as a manifest of references: {fault(error)}") from error
    return list(found)
