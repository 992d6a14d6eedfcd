"""Files elsewhere, copied once into a folder of this machine: whole or not at all, and again where they have changed.

A copy that is interrupted goes on where it was if the file is still the same, and else begins anew. What a server says
is not trusted: no more bytes are taken than it announced, and no name leads out of the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fvd_bench import atomic
from fvd_bench.errors import SourceError

MOST_BYTES = 1 << 36
"""The most bytes that are copied of one address."""

_CHUNK_BYTES = 1 << 22
_LEFT_FREE_BYTES = 1 << 29
"""Space that is left free on the disk."""

_VALIDATORS = frozenset(
    "etag contentmd5 digest lastmodified mtime created updated generation md5hash crc32c blobid lfs versionid".split()
)
"""What file systems call that which changes when a file does."""

FileSystem = Any  # fsspec has no type information


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that was copied. version: what told it from later versions. state: its size and times here."""

    version: str
    sha256: str
    state: tuple[int, int]


class Download:
    """The copies of one address. folder: where they are kept, see `home`."""

    def __init__(self, folder: Path, shown: str) -> None:
        self.folder = folder
        self._shown = shown

    def place(self, name: str) -> Path:
        """Return where the copy of a file is. name: its path below the address, in which nothing leads elsewhere."""
        return self.folder / "files" / name

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process copy at a time. The others wait, and find the copies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def copy(self, files: FileSystem, path: str, name: str) -> str:
        """Make sure that the copy of a file is here and is that of today. Return its sha256.

        Raises SourceError, OSError, and what the file system raises.
        """
        info = files.info(path)
        version = version_of(info)
        place, record = self.place(name), self._beside("records", f"{name}.json")
        known = _read(record)
        if known and version and known.version == version and _state(place) == known.state:
            return known.sha256
        partial, begun = self._beside("partial", f"{name}.part"), self._beside("partial", f"{name}.version")
        offset = partial.stat().st_size if version and partial.exists() and _text(begun) == version else 0
        if not offset:
            partial.unlink(missing_ok=True)  # before the version is named, of which no older bytes may be a part
        atomic.write_text(begun, version)
        size = info.get("size")
        self._check_size(name, size, already=offset)
        self._append(files, path, name, partial, size, offset)
        if version_of(files.info(path)) != version:
            partial.unlink()
            raise SourceError(f"{self._shown}: {name} changed while it was copied: run the same command again")
        with partial.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(place)
        begun.unlink()
        state = _state(place)
        assert state is not None
        atomic.write_text(record, json.dumps(asdict(Copied(version, digest, state))))
        return digest

    def known(self, name: str) -> str | None:
        """Return the sha256 of a copy that is here, whether or not it is that of today. None if there is none."""
        record = _read(self._beside("records", f"{name}.json"))
        return record.sha256 if record and _state(self.place(name)) == record.state else None

    def _append(self, files: FileSystem, path: str, name: str, partial: Path, size: int | None, offset: int) -> None:
        """Copy the bytes of a file from an offset on."""
        done = offset
        with files.open(path, "rb") as remote, partial.open("r+b" if offset else "wb") as out:
            if offset:
                try:
                    remote.seek(offset)
                except (OSError, ValueError, NotImplementedError):  # it can be read from its start alone
                    done = 0
            out.seek(done)
            out.truncate()
            while chunk := remote.read(_CHUNK_BYTES):
                done += len(chunk)
                if size is not None and done > size:
                    raise SourceError(f"{self._shown}: {name} goes on after the {size:,} bytes that it should have")
                if size is None or shutil.disk_usage(self.folder).free < _LEFT_FREE_BYTES:
                    self._check_size(name, done, already=done)
                out.write(chunk)
        if size is not None and done < size:
            raise SourceError(
                f"{self._shown}: {name} breaks off after {done:,} of {size:,} bytes: run the same command again, which "
                "goes on from there"
            )

    def _check_size(self, name: str, size: int | None, *, already: int) -> None:
        """Raise SourceError where a file is too large, or the disk too full. already: bytes that are here."""
        if size is not None and size > MOST_BYTES:
            raise SourceError(
                f"{self._shown}: {name} has {size:,} bytes, and at most {MOST_BYTES:,} are copied: fetch it by a "
                "program for that, and pass its path"
            )
        if shutil.disk_usage(self.folder).free < (size or 0) - already + _LEFT_FREE_BYTES:
            raise SourceError(
                f"{self._shown}: hardly any space is left in {self.folder} for {name}: free some, or name another "
                "folder in the environment variable FVD_BENCH_HOME"
            )

    def _beside(self, kind: str, name: str) -> Path:
        file = self.folder / kind / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


def version_of(info: Mapping[str, Any]) -> str:
    """Return what tells a file from its later versions. Empty where the file system says nothing of the kind."""
    found = {key: value for key, value in info.items() if key.lower().replace("-", "").replace("_", "") in _VALIDATORS}
    return json.dumps({**found, "size": info.get("size")}, sort_keys=True, default=str) if found else ""


def _state(place: Path) -> tuple[int, int] | None:
    """Return the size of a file and the time of its last change. None where there is no file."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _read(record: Path) -> Copied | None:
    """Read a record. None where there is none, or it cannot be read."""
    try:
        found = json.loads(_text(record) or "{}")
        return Copied(str(found["version"]), str(found["sha256"]), (int(found["state"][0]), int(found["state"][1])))
    except (ValueError, KeyError, TypeError, IndexError):
        return None
