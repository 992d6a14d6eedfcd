"""Tar shards that are read where they are, by their addresses: nothing is copied, and memory holds a video at a time.

The headers of a shard are read once. Each video is then asked for by its place in the shard, by its digest and by its
frames. So a server has to answer for parts of a file, and to say when it changes: s3, gs, hf and most web servers do.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fvd_bench.errors import SourceError
from fvd_bench.escapes import redact
from fvd_bench.settings import is_offline
from fvd_bench.sources.addresses import file_system, named, reaching
from fvd_bench.sources.downloads import FileSystem, version_of
from fvd_bench.sources.fetched import Copiers
from fvd_bench.sources.listing import FileSource
from fvd_bench.sources.shards import side_of, stems
from fvd_bench.sources.tars import TarArchive

_AT_ONCE = 8
_TRIES, _WAIT_SECONDS = 3, 1.0
_TRUST_SECONDS = 10.0
"""For how long a shard is taken to be as it was when the server was asked last."""


@dataclass(eq=False)
class _Remote:
    """The bytes of a file at an address, as `tars.Stored`. version: what tells it from later versions."""

    address: str
    files: FileSystem
    path: str
    size: int
    version: str
    _asked: float = field(default_factory=time.monotonic)
    _asking: Any = field(default_factory=threading.Lock)

    def __reduce__(self) -> tuple[type[_Remote], tuple[Any, ...]]:
        """Let another process ask for itself."""
        return type(self), (self.address, self.files, self.path, self.size, self.version)

    def read_at(self, size: int, offset: int) -> bytes:
        for left in reversed(range(_TRIES)):
            with self._reaching(again=left > 0):
                with self.files.open(self.path, "rb", cache_type="none", size=self.size) as file:
                    file.seek(offset)
                    data: bytes = file.read(size)
                return data
            time.sleep(_WAIT_SECONDS)
        raise AssertionError("the last try raises")

    def state(self) -> bytes:
        with self._asking:
            if time.monotonic() - self._asked > _TRUST_SECONDS:
                with self._reaching():
                    self.version = version_of(self.files.info(self.path))
                self._asked = time.monotonic()
        return f"{self.address}\0{self.version}\0".encode()

    @contextlib.contextmanager
    def _reaching(self, *, again: bool = False) -> Iterator[None]:
        """Turn an exception of a file system into an OSError. again: whether to go on after it."""
        try:
            with reaching(redact(self.address)):
                yield
        except SourceError as error:
            if not again:
                raise OSError(str(error)) from error


def remote_shards(addresses: Sequence[str]) -> list[_Remote] | None:
    """Return the tar shards at these addresses, patterns of them among these. None where they cannot be read in parts,
    or are no plain tar archives. Raises SourceError."""
    if is_offline() or not all(named(address).suffix.lower() == ".tar" for address in addresses):
        return None
    found: list[_Remote] = []
    for address in addresses:
        with reaching(redact(address)):
            files, path = file_system(address)
            paths = sorted(files.glob(path)) if "*" in path else [path]
            for each in paths:
                about = files.info(each)
                size, version = about.get("size"), version_of(about)
                if size is None or not version or about.get("partial") is False:
                    return None
                place = address if each == path else files.unstrip_protocol(each)
                found.append(_Remote(place, files, each, size, version))
    return found or None


def open_remote_shards(shown: str, shards: Sequence[_Remote]) -> FileSource:
    """Open one side over shards at addresses. Raises SourceError. shown: what the side is called."""
    names = [named(shard.address) for shard in shards]
    above = PurePosixPath(os.path.commonpath([name.parent for name in names]))
    below = [name.relative_to(above) for name in names]
    with contextlib.closing(Copiers(_AT_ONCE)) as pool:
        archives = list(pool.map(lambda shard: TarArchive(redact(shard.address), shard), shards))
    side = side_of(shown, list(zip(stems(below), archives, strict=True)))
    return FileSource(
        side.name, f"{side.kind}, read at their addresses", side.listing, side.root, side.files, side.more_notes
    )
