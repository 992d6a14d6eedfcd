"""Where a zoo lies: a folder, or an address of a file system that fsspec knows. Files are written whole or not at
all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fvd_bench import atomic
from fvd_bench.errors import SourceError, cause
from fvd_bench.escapes import redact
from fvd_bench.paths import PathLike, user_path
from fvd_bench.settings import is_offline
from fvd_bench.sources.addresses import ELSEWHERE, WEB, file_system, is_address, reaching

_LOCAL = ("file://", "local://")

_CHUNK_BYTES = 1 << 20


class Storage(Protocol):
    """Files by name, without folders.

    shown: the place as people see it.
    """

    @property
    def shown(self) -> str: ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises SourceError, whose cause is a FileNotFoundError where there is none."""

    def names(self) -> list[str]:
        """List the files. Raises SourceError."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file. Raises SourceError."""

    def copy(self, file: Path, name: str) -> None:
        """Write a file as a copy of one of this machine. Raises SourceError."""


class Folder:
    """A folder of this machine, made when something is written to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._telling(), (self.folder / name).open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")

    def names(self) -> list[str]:
        with self._telling():
            return [path.name for path in self.folder.iterdir()]

    def write(self, name: str, data: bytes) -> None:
        with self._written(name) as partial:
            partial.write_bytes(data)

    def copy(self, file: Path, name: str) -> None:
        with self._written(name) as partial:
            shutil.copyfile(file, partial)

    @contextlib.contextmanager
    def _written(self, name: str) -> Iterator[Path]:
        with self._telling():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic.partial_file(self.folder / name) as partial:
                yield partial

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(f"{error.filename or self.folder}: {cause(error)}") from error


class Elsewhere:
    """A folder at an address. Writing is of one step where the file system has that: what fsspec calls a
    transaction."""

    def __init__(self, address: str) -> None:
        self.shown = redact(address)
        if is_offline() and address.partition("://")[0] in ELSEWHERE:
            raise SourceError(f"{self.shown} is elsewhere, and FVD_BENCH_OFFLINE is set, with which nothing is asked")
        self._files, path = file_system(address)
        is_web = address.partition("://")[0] in WEB
        self._folder, self._mark, self._query = path.partition("?") if is_web else (path, "", "")

    def chunks(self, name: str) -> Iterator[bytes]:
        with reaching(f"{self.shown.rstrip('/')}/{name}"), self._files.open(self._place(name), "rb") as file:
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")

    def names(self) -> list[str]:
        with reaching(self.shown):
            self._files.invalidate_cache()
            return [str(path).rpartition("/")[2] for path in self._files.ls(self._folder, detail=False)]

    def write(self, name: str, data: bytes) -> None:
        with self._written(), self._files.transaction:
            self._files.pipe_file(self._place(name), data)

    def copy(self, file: Path, name: str) -> None:
        with self._written(), self._files.transaction:
            self._files.put_file(str(file), self._place(name))

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each file system has errors of its own
            reason = redact(str(error)) or type(error).__name__
            raise SourceError(
                f"{self.shown} cannot be written: {reason}; push into a folder, and put that there by other means"
            ) from error

    def _place(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}{self._mark}{self._query}"


def storage_of(place: PathLike) -> Storage:
    """Return what lies at a path or an address. Raises SourceError."""
    if isinstance(place, str) and place.startswith(_LOCAL):
        return Folder(Path(place.partition("://")[2]))
    if isinstance(place, str) and is_address(place):
        return Elsewhere(place)
    return Folder(user_path(place))
