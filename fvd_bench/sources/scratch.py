"""A temporary file without a name. Nothing of it is left when the process that uses it ends, however it ends."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError, cause
from fvd_bench.sources.archives import MOST_RATIO, RATIO_FROM_BYTES

_CHUNK_BYTES = 1 << 24
_LEFT_FREE_BYTES = 1 << 29
"""Space that is left free on the disk, since a full disk would make everything else on the machine fail too."""


class Reader(Protocol):
    """Anything that gives bytes piece by piece."""

    def read(self, size: int, /) -> bytes: ...


class Scratch:
    """Bytes that are written once, one piece after another, and read by several threads.

    what: what it holds, for messages.
    size: bytes written so far.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._mapped: mmap.mmap | None = None
        self.size = 0
        try:
            self.file: IO[bytes] = tempfile.TemporaryFile(prefix="fvd-bench-")  # noqa: SIM115 - open as long as this is
        except OSError as error:
            raise self._error(cause(error)) from error
        weakref.finalize(self, self.file.close)

    def append(self, data: bytes | memoryview) -> None:
        """Write a piece after the others. Raises SourceError when there is no room for it."""
        num_bytes = memoryview(data).nbytes
        try:
            disk = os.fstatvfs(self.file.fileno())
            if disk.f_bavail * disk.f_frsize < num_bytes + _LEFT_FREE_BYTES:
                raise self._error("hardly any space is left there")
            self.file.write(data)
            self.file.flush()
        except OSError as error:
            raise self._error(cause(error)) from error
        self.size += num_bytes

    def unpack(self, packed: Reader, packed_bytes: int) -> None:
        """Write all that a decompressor gives. Raises SourceError when that is absurdly much, and what the
        decompressor raises."""
        begin, most = self.size, max(RATIO_FROM_BYTES, MOST_RATIO * packed_bytes)
        while chunk := packed.read(_CHUNK_BYTES):
            if self.size + len(chunk) - begin > most:
                raise SourceError(
                    f"{self._what} grows from {packed_bytes:,} to more than {most:,} bytes, as no videos usually do: "
                    "unpack it if you trust it, and pass what comes out"
                )
            self.append(chunk)

    def array(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the bytes at an offset as an array, which is read from the file when it is accessed."""
        count = int(np.prod(shape, dtype=object))
        if count == 0:
            return np.empty(shape, dtype)
        if self._mapped is None or len(self._mapped) < self.size:  # all arrays share one map, as there may be many
            self._mapped = mmap.mmap(self.file.fileno(), self.size, access=mmap.ACCESS_READ)
        return np.frombuffer(self._mapped, dtype, count, offset).reshape(shape)

    def _error(self, reason: str) -> SourceError:
        try:
            place = f" in {tempfile.gettempdir()}"
        except OSError:  # there is no folder for it
            place = ""
        return SourceError(
            f"{self._what} needs a temporary file{place}, which cannot be written: {reason}; free some space, or name "
            "another folder in the environment variable TMPDIR"
        )
