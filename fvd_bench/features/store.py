"""The feature store: features of videos on disk, keyed by content, in one SQLite file.

Each entry and each text has a checksum. Entries are written in a transaction, together with others that were made
within a quarter of a second. So a run that was killed resumes where it was a moment before, what is damaged is computed
again instead of used, and several processes may share the file. There is no write-ahead log, since network disks do not
allow one.

A file that can only be read is used as far as it goes. What a run learns beside features, such as the digests of files,
then stays in memory, and only where features have to be made is the store refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import platform
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fvd_bench.errors import CacheError, cause
from fvd_bench.networks import Features

_T = TypeVar("_T")

_BUSY_SECONDS = 120.0
_MEMORY_KIB = 1 << 20
"""Memory for the features of a run that has no store. Beyond it SQLite uses a temporary file, which no FVD needs."""

_COMMIT_SECONDS = 0.25
"""Entries that were put this soon after a transaction wait for the next one. What a killed run loses is the work of so
long, however fast or slow that is."""

_MOST_WAITING_BYTES = 2**24
_MOST_KEPT_BYTES = 2**28
"""The most bytes of features that stay in memory after they were read or made, so that each is read and checked once.
Further ones are read whenever they are used."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""What is said of a file, and of a folder that takes no journal, that can be read and not written."""

_CHECKED = "checked:"
"""What precedes the state of a text that has a checksum before it. Those of older versions have none, and are made
again."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS features (
    key TEXT PRIMARY KEY, facts TEXT NOT NULL, dim INTEGER NOT NULL, data BLOB NOT NULL, checksum BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (state TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was noticed while a video was read.

    skipped: why the video gave no features. None if it did.
    found: number of frames that decode, if these are too few. Else None.
    damaged: number of used frames that decode with errors.
    jpeg_qualities: qualities of the frames that were JPEG files, 0 for quantisation tables of their own.
    not_jpeg: whether any frame was not a JPEG file.
    num_frames: the length that the clips were drawn for. None where a store of an older version does not say.
    notes: codes of `faults.FAULTS` that apply to the video, each with its details.
    levels: lowest and highest value of the used frames if these come from an array. Else None.
    """

    skipped: str | None = None
    found: int | None = None
    damaged: int = 0
    jpeg_qualities: tuple[int, ...] = ()
    not_jpeg: bool = False
    num_frames: int | None = None
    notes: tuple[tuple[str, str], ...] = ()
    levels: tuple[int, int] | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Facts:
        """Make facts from JSON values. Raises KeyError, TypeError, ValueError."""
        notes = tuple((str(code), str(detail)) for code, detail in values.get("notes", ()))
        qualities, levels = tuple(values["jpeg_qualities"]), values.get("levels")
        if levels is not None:
            lowest, highest = map(int, levels)
            levels = lowest, highest
        return cls(**{**values, "jpeg_qualities": qualities, "notes": notes, "levels": levels})


@dataclass(frozen=True, slots=True)
class Entry:
    """The features of one video and the facts about it.

    features: [N, dim], with N = 0 if the video was skipped.
    """

    features: Features
    facts: Facts


class FeatureStore:
    """Entries by key, and the content digests of files by their state, see `video.Video`.

    folder: the folder that holds the store. None to keep entries in memory.
    damaged: number of entries that were found damaged and dropped.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / "features.sqlite"
        self.damaged = 0
        self._waiting: dict[str, tuple[Any, ...]] = {}
        self._waiting_bytes = 0
        self._kept: dict[str, Entry] = {}
        self._kept_bytes = 0
        self._committed = -math.inf
        self._beside: FeatureStore | None = None  # in memory, of what the file does not take
        self._is_writable = False  # until it was found to be
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"{folder} is no folder" if isinstance(error, FileExistsError) else cause(error)
            raise CacheError(_advice(self._file, what)) from error
        self._connection = self._connect()

    @property
    def place(self) -> str | None:
        """A text that tells apart the stores of one machine. None for what is partly in memory, and equals no other."""
        if self._file is None or self._beside is not None:
            return None
        stat = self._file.stat()
        return f"{platform.node()} {stat.st_dev} {stat.st_ino}"

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None if there is none or it is damaged. Its features are not to be changed.

        Raises CacheError.
        """
        if key in self._kept:
            return self._kept[key]
        query = "SELECT key, facts, dim, data, checksum FROM features WHERE key = ?"
        row = self._waiting.get(key)
        if row is None and self._beside is not None and (entry := self._beside.get(key)) is not None:
            return entry
        row = row or self._do(lambda c: c.execute(query, (key,)).fetchone())
        if row is None:
            return None
        _, facts, dim, data, checksum = row
        if not isinstance(data, bytes) or checksum != _checksum(key, facts, dim, data):
            self.damaged += 1
            self._change(lambda c: c.execute("DELETE FROM features WHERE key = ?", (key,)))
            return None
        features = np.frombuffer(data, dtype="<f4").reshape(-1, dim).astype(np.float32)
        try:
            entry = Entry(features, Facts.from_values(json.loads(facts)))
        except (KeyError, TypeError, ValueError):  # another version wrote it, and knows other facts
            return None
        self._keep(key, entry)
        return entry

    def put(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Take in entries, and write them now, or at a later `put`, `commit` or `close`. Raises CacheError as `commit`
        does."""
        for key, entry in entries:
            facts, dim = json.dumps(asdict(entry.facts)), entry.features.shape[1]
            data = entry.features.astype("<f4").tobytes()
            self._waiting[key] = key, facts, dim, data, _checksum(key, facts, dim, data)
            self._waiting_bytes += len(data)
            self._keep(key, entry)
        is_due = time.monotonic() - self._committed >= _COMMIT_SECONDS
        if is_due or self._waiting_bytes > _MOST_WAITING_BYTES:
            self.commit()

    def commit(self) -> None:
        """Write all entries that wait, in one transaction, so that other processes see them.

        Raises CacheError, for instance on a full disk, where those that still fit are written.
        """
        rows, self._waiting, self._waiting_bytes = list(self._waiting.values()), {}, 0
        if not rows:
            return
        try:
            self._write(rows)
        except CacheError:
            for row in rows:
                self._write([row])
        self._committed = time.monotonic()

    def _keep(self, key: str, entry: Entry) -> None:
        before = self._kept.pop(key, None)
        self._kept_bytes -= before.features.nbytes if before else 0
        if self._kept_bytes + entry.features.nbytes <= _MOST_KEPT_BYTES:
            self._kept[key] = entry
            self._kept_bytes += entry.features.nbytes

    def _write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._change(lambda c: c.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?, ?)", rows))

    def content(self, state: str) -> str | None:
        """Return the content digest that is remembered for this state of files, or None if there is none. Other texts
        are remembered likewise, under digests of what they depend on."""
        if self._beside is not None and (digest := self._beside.content(state)) is not None:
            return digest
        place = _CHECKED + state
        row = self._do(lambda c: c.execute("SELECT digest FROM contents WHERE state = ?", (place,)).fetchone())
        if row is None:
            return None
        checksum, _, digest = str(row[0]).partition(":")
        if checksum != _text_checksum(state, digest):
            self.damaged += 1
            return None
        return digest

    def remember_contents(self, contents: Iterable[tuple[str, str]]) -> None:
        """Remember pairs of (state, digest)."""
        rows = [(_CHECKED + state, f"{_text_checksum(state, digest)}:{digest}") for state, digest in contents]
        if rows:
            self._change(lambda c: c.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?)", rows))

    def check_writable(self) -> None:
        """Raise CacheError when no features can be written, so that this is known before they are made."""
        try:
            self._do(lambda c: c.execute("INSERT OR REPLACE INTO contents VALUES ('', '')"))
        except CacheError as error:
            if not _is_of(error.__cause__, _UNWRITABLE):
                raise
            what = f"it can be read but not written ({error.__cause__}), and lacks features that have to be made"
            raise CacheError(_advice(self._file, what)) from error
        self._is_writable = True

    def close(self) -> None:
        """Write what waits, and close the file. Raises CacheError."""
        try:
            self.commit()
        finally:
            self._connection.close()
            if self._beside is not None:
                self._beside.close()

    def __del__(self) -> None:
        """Close a store that was dropped: from Python 3.13 on there is a warning for connections left open."""
        try:
            self.close()
        except Exception:  # such as when another thread collects it, or when Python ends, whose modules are gone then
            return

    def _connect(self) -> sqlite3.Connection:
        try:
            try:
                return self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            return self._replace()
        except (sqlite3.Error, OSError) as error:
            raise CacheError(_advice(self._file, _told(error))) from error

    def _open(self) -> sqlite3.Connection:
        # A database without a name is in memory until it is larger than the page cache.
        connection = sqlite3.connect(self._file or "", timeout=_BUSY_SECONDS)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")  # damage is left to checksums to find
        try:
            if self._file is None:
                connection.execute(f"PRAGMA cache_size = -{_MEMORY_KIB}")
                connection.execute("PRAGMA journal_mode = MEMORY")
                connection.execute("PRAGMA temp_store = MEMORY")
            connection.executescript(_SCHEMA)
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _replace(self) -> sqlite3.Connection:
        """Rename a file that is no longer a database and begin a new one, unless another process just did."""
        try:
            with contextlib.closing(self._open()) as connection:
                is_sound = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            if is_sound:
                return self._open()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        self.damaged += 1
        assert self._file is not None  # memory holds no damaged file
        for file in (self._file, self._file.with_name(f"{self._file.name}-journal")):
            if file.exists():
                file.replace(file.with_name(f"{file.name}.damaged-{time.time_ns()}"))
        return self._open()

    def _change(self, action: Callable[[sqlite3.Connection], object]) -> None:
        """Do what writes to the file, or where that can only be read, to a store in memory.

        Raises CacheError, also where the file could be written before, since features that were made would be lost.
        """
        if self._beside is None:
            try:
                self._do(action)
                return
            except CacheError as error:
                if self._is_writable or not _is_of(error.__cause__, _UNWRITABLE):
                    raise
            self._beside = FeatureStore(None)
        self._beside._do(action)

    def _do(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            try:
                with self._connection:
                    return action(self._connection)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            self._connection.close()
            self._connection = self._replace()
            with self._connection:
                return action(self._connection)
        except (sqlite3.Error, OSError) as error:
            raise CacheError(_advice(self._file, _told(error))) from error


def _checksum(key: str, facts: str, dim: int, data: bytes) -> bytes:
    return hashlib.sha256(f"{key}\0{facts}\0{dim}\0".encode() + data).digest()


def _text_checksum(state: str, text: str) -> str:
    return hashlib.sha256(f"{state}\0{text}".encode()).hexdigest()[:16]


def _told(error: sqlite3.Error | OSError) -> str:
    """Say why the file cannot be used. SQLite's plain errors are of tables and columns that are not there."""
    if _is_of(error, (sqlite3.SQLITE_BUSY,)):
        return f"another process, which may have been stopped, keeps it locked for more than {_BUSY_SECONDS:g} seconds"
    if _is_of(error, (sqlite3.SQLITE_ERROR,)):
        return f"it is a database of another program or version ({error}), beside which no store can be"
    return str(error)


def _advice(file: Path | None, what: str) -> str:
    if file is None:
        return f"features cannot be kept in memory for the run: {what}; keep them in a folder, `compute --cache`"
    return (
        f"the feature store {file} cannot be used: {what}. Free some space or mend the permissions, name another "
        "folder by `fvd-bench compute --cache` or for every command by the environment variable FVD_BENCH_HOME, or do "
        "without by `fvd-bench compute --no-cache`; what was stored before is kept"
    )


def _is_damage(error: sqlite3.Error) -> bool:
    return _is_of(error, _DAMAGED)


def _is_of(error: BaseException | None, codes: Sequence[int]) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes
