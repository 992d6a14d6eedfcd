"""Parquet files of features, one row for each clip of each entry, and how entries of the feature store come of them.

A file is written whole or not at all, under a name that its rows alone decide. So what was written twice, by a worker
that was thought lost for one, is one file, and what a run has written serves the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fvd_bench import atomic
from fvd_bench.errors import EngineError, cause
from fvd_bench.features.batches import entry_of
from fvd_bench.features.cluster.stages import FEATURES, Table
from fvd_bench.features.store import Entry, Facts, FeatureStore
from fvd_bench.networks import Features
from fvd_bench.sources import addresses

_SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of Parquet files. place: its path or its address, which all machines see alike."""

    place: str

    def write(self, rows: Table) -> str:
        """Write FEATURES, and return the name of the file. Raises FvdBenchError."""
        out = io.BytesIO()
        pq.write_table(rows, out, write_page_checksum=True)
        parts = zip(rows["key"].to_pylist(), rows["clip"].to_pylist(), strict=True)
        name = hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()[:32] + _SUFFIX
        if addresses.is_address(self.place):
            addresses.write(f"{self.place.rstrip('/')}/{name}", out.getvalue())
            return name
        with self._telling():
            Path(self.place).mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(Path(self.place) / name, out.getvalue())
        return name

    def read(self, name: str) -> Table:
        """Return the FEATURES of a file. Raises FvdBenchError."""
        if addresses.is_address(self.place):
            data = addresses.read(f"{self.place.rstrip('/')}/{name}")
        else:
            with self._telling():
                data = (Path(self.place) / name).read_bytes()
        try:
            table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
        except (pa.ArrowException, OSError, ValueError) as error:  # which of them depends on the part that is damaged
            why = " ".join(str(error).split())
            raise EngineError(
                f"{self.place}/{name} is damaged ({why}): delete it, and run the command again"
            ) from error
        if table.schema.names != FEATURES.names:
            raise EngineError(f"{self.place}/{name} holds other columns than features: name a folder of its own")
        return table

    def names(self) -> list[str]:
        """List the files. Raises FvdBenchError."""
        if addresses.is_address(self.place):
            return [name for name in addresses.names(self.place) if name.endswith(_SUFFIX)]
        with self._telling():
            return sorted(file.name for file in Path(self.place).glob(f"[!.]*{_SUFFIX}"))

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineError(
                f"features cannot be kept in {self.place}: {cause(error)}; name another folder that all "
                "machines can write to by --parquet"
            ) from error


@dataclass(slots=True)
class _Parts:
    """What has come of one entry. facts: those of its end, with the number of its clips."""

    clips: dict[int, Features] = field(default_factory=dict)
    refused: str | None = None
    facts: tuple[int, Facts] | None = None


class Gathering:
    """Entries on their way into the store, of rows in any order, each of which may come several times.

    wanted: the keys of the entries; rows of others are left out.
    facts: the facts of each entry that is complete, by key.
    """

    def __init__(self, store: FeatureStore, wanted: Collection[str]) -> None:
        self.facts: dict[str, Facts] = {}
        self._store = store
        self._wanted = set(wanted)
        self._open: dict[str, _Parts] = {}

    @property
    def missing(self) -> set[str]:
        """The keys of which rows have not come yet."""
        return self._wanted - self.facts.keys()

    def take(self, rows: Table, *, earlier: bool = False) -> None:
        """Take in FEATURES, and store the entries that they complete. Raises CacheError.

        earlier: whether an earlier run made them. What it could not read may be read now, so it does not count.
        """
        entries: list[tuple[str, Entry]] = []
        for row, features in zip(rows.drop_columns("features").to_pylist(), _features(rows), strict=True):
            key = row["key"]
            if key not in self._wanted or key in self.facts:
                continue
            parts = self._open.setdefault(key, _Parts())
            parts.refused = parts.refused or row["refused"]
            if row["facts"] is not None:
                parts.facts = row["clip"], Facts.from_values(json.loads(row["facts"]))
            else:
                parts.clips[row["clip"]] = features.reshape(row["rows"] or 0, -1 if row["rows"] else 1)
            if parts.facts is None or len(parts.clips) < parts.facts[0]:
                continue
            del self._open[key]
            facts = replace(parts.facts[1], skipped=parts.facts[1].skipped or parts.refused)
            entry = entry_of([parts.clips[clip] for clip in range(parts.facts[0])], facts)
            if entry is not None:
                entries.append((key, entry))
            if entry is not None or not earlier:
                self.facts[key] = facts
        if entries:
            self._store.put(entries)


def _features(rows: Table) -> Iterator[Features]:
    """Yield the features of each row, flat. Empty ones where it has none."""
    for chunk in rows["features"].chunks:
        values, ends = chunk.values.to_numpy(), chunk.offsets.to_numpy()
        for first, end in itertools.pairwise(ends.tolist()):
            yield np.array(values[first:end], dtype=np.float32)
