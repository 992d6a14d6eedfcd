"""A tar archive of videos. Its headers are read once, and several threads read its members by their offsets.

A compressed archive is unpacked once, into a temporary file without a name. As little is trusted as in zip archives. An
archive is refused for names that could lead out of a folder or that stand for two files, for impossible sizes, and for
damaged headers. A link, a device or a member that is too large is refused when it is read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Protocol

from fvd_bench.errors import SourceError, cause
from fvd_bench.sources.archives import (
    MemberFile,
    check_distinct,
    check_plain,
    is_hidden,
    size_problem,
)
from fvd_bench.sources.scratch import Scratch
from fvd_bench.videos.files import file_state, regular_file

_READ_ERRORS = (tarfile.TarError, EOFError, ValueError, OverflowError)
"""What tarfile raises, besides OSError, for archives that are damaged in one way or another."""

_UNPACK_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)

_UNPACKERS: Mapping[bytes, Callable[[IO[bytes]], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""Decompressors by the first bytes of a file."""

_SUFFIXES = tuple(".tar .tar.gz .tgz .tar.bz2 .tbz2 .tar.xz .txz .tar.zst".split())

_ZSTANDARD = b"\x28\xb5\x2f\xfd"

_MOST_HEADER_BYTES = 1 << 20
"""The longest header of a member that is read. The longest part of a header is a path."""

_AHEAD_BYTES = 1 << 14
"""Bytes that are read at a time where headers are, each of which has 512: small members lie close to each other."""

_RECORD_BYTES = 20 * tarfile.BLOCKSIZE
"""An archive ends with zeros up to a multiple of this size."""


@dataclass(frozen=True, slots=True)
class _Member:
    """Where the bytes of a file are. is_file: False for a link, a device or a sparse file."""

    offset: int
    size: int
    is_file: bool


class Stored(Protocol):
    """The bytes of an uncompressed archive, wherever they are. Several threads read them, and processes they are
    handed to.

    size: how many there are.
    """

    @property
    def size(self) -> int: ...
    def read_at(self, size: int, offset: int) -> bytes:
        """Return the bytes at an offset, fewer where they end. Raises OSError."""

    def state(self) -> bytes:
        """Return bytes that cost little and change when the archive does. Raises OSError."""


class TarArchive:
    """The visible files of a tar archive, as `files.Files`.

    names: their paths in the archive.
    notes: findings, each a sentence.
    """

    def __init__(self, path: Path | str, stored: Stored | None = None) -> None:
        """Read the headers of an archive. Raises SourceError, OSError.

        path: its path, or what messages call it where its bytes are given. stored: these. None for the file at the
        path.
        """
        self.path = path
        self.notes: list[str] = []
        self._stored = stored or _OnDisk(Path(path))
        packed = isinstance(self._stored, _OnDisk) and self._stored.is_packed
        try:
            self._members = self._scan(packed=packed)
        except (OSError, *_READ_ERRORS) as error:
            raise SourceError(
                f"{path} cannot be read as a tar archive ({cause(error)}): expected a whole .tar file, plain or packed "
                "by gzip, bzip2 or xz; get or make it again, or unpack it and pass the folder"
            ) from error
        self.names = tuple(self._members)

    def source(self, path: PurePath) -> io.BytesIO:
        """Read the bytes of a member. Raises OSError when they cannot be read, or are refused."""
        name = path.as_posix()
        member = self._members[name]
        if not member.is_file:
            raise OSError(f"{name} in the archive is a link, a device or sparse: expected the file itself")
        if problem := size_problem(name, member.size):
            raise OSError(f"{name} in the archive {problem}")
        data = self._stored.read_at(member.size, member.offset)
        if len(data) != member.size:
            raise OSError(f"{name} in the archive breaks off: {len(data)} of {member.size} bytes are there")
        return MemberFile(data, name)

    def state(self, path: PurePath) -> bytes:
        """Return bytes that cost little and change when a member does. Raises OSError."""
        name = path.as_posix()
        member = self._members[name]
        return self._stored.state() + repr((name, member.offset, member.size)).encode()

    def _scan(self, *, packed: bool) -> dict[str, _Member]:
        """Return the visible files by name. Raises SourceError, OSError, and what tarfile raises."""
        end = self._stored.size
        found: list[tuple[str, _Member]] = []
        names: list[str] = []
        with tarfile.open(fileobj=_Headers(str(self.path), self._stored), mode="r:") as archive:  # type: ignore[call-overload]
            for info in _infos(archive):
                name = info.name.removeprefix("./")  # `tar -cf x.tar .` writes this prefix
                if info.isdir():
                    names += [] if name in ("", ".") else [name]
                    continue
                if info.size < 0 or (info.isreg() and info.offset_data + info.size > end):
                    raise SourceError(
                        f"{self.path}: its member {name!r} has {info.size:,} bytes, more than are left in the "
                        f"{'unpacked ' if packed else ''}archive of {end:,}; it is cut off or damaged: get or make it "
                        "again"
                    )
                names.append(name)
                found.append((name, _Member(info.offset_data, info.size, info.isreg() and not info.issparse())))
            self._check_end(archive.offset)
        check_plain(self.path, names)
        check_distinct(self.path, [name for name, _ in found])
        return {name: member for name, member in found if not is_hidden(name)}

    def _check_end(self, offset: int) -> None:
        """Check that the archive ends at this offset.

        tarfile stops silently at a damaged header, and at the end of the first of several joined archives.
        """
        tail = self._stored.read_at(2 * _RECORD_BYTES, offset)
        if not tail:
            self.notes.append(f"{self.path}: no end is marked in this archive; if it was cut off, videos are missing")
        elif tail.strip(b"\0"):
            raise SourceError(
                f"{self.path}: what stands at byte {offset:,} is neither a member nor the end: the archive is damaged, "
                "or several were joined into one; make it again, or pass shards as a folder"
            )


class _OnDisk:
    """An archive on this machine, unpacked where it is compressed."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError, OSError."""
        self._path = path
        self._file, self.is_packed = _plain(path)
        weakref.finalize(self, self._file.close)

    def __reduce__(self) -> tuple[type[_OnDisk], tuple[Path]]:
        """Let another process open the archive for itself."""
        return type(self), (self._path,)

    @property
    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def read_at(self, size: int, offset: int) -> bytes:
        return os.pread(self._file.fileno(), size, offset)

    def state(self) -> bytes:
        return file_state(self._path)


def is_tar(path: Path) -> bool:
    """Return whether a file has a suffix of tar archives, or is an uncompressed one."""
    if is_tar_name(path.name):
        return True
    with path.open("rb") as file:
        return file.read(262)[257:] == b"ustar"


def is_tar_name(name: str) -> bool:
    """Return whether a name has a suffix of tar archives."""
    return name.lower().endswith(_SUFFIXES)


def without_suffix(name: str) -> str:
    """Return a path without the suffix of a tar archive."""
    return next((name[: -len(suffix)] for suffix in _SUFFIXES if name.lower().endswith(suffix)), name)


def _plain(path: Path) -> tuple[IO[bytes], bool]:
    """Return an archive as a file of its uncompressed bytes, and whether it had to be unpacked."""
    regular_file(path)
    file = path.open("rb")
    start = file.read(max(map(len, _UNPACKERS)))
    unpacker = next((opener for magic, opener in _UNPACKERS.items() if start.startswith(magic)), None)
    if unpacker is None:
        if start.startswith(_ZSTANDARD):
            file.close()
            raise SourceError(
                f"{path} is packed by Zstandard: unpack it with `zstd -d {path.name}`, or pack it by gzip"
            )
        return file, False
    with file:
        file.seek(0)
        scratch = Scratch(str(path))
        try:
            with unpacker(file) as packed:
                scratch.unpack(packed, os.fstat(file.fileno()).st_size)
        except _UNPACK_ERRORS as error:
            raise SourceError(f"{path} cannot be unpacked ({error}): get or make it again") from error
        return os.fdopen(os.dup(scratch.file.fileno()), "rb"), True


def _infos(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members without keeping them, since an archive of frames has many."""
    before = -1
    while (info := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps members here and nowhere else
        if info.offset <= before:
            raise ValueError("members overlap")
        before = info.offset
        yield info


class _Headers:
    """What tarfile reads from an archive. It refuses to read more than the longest header, or a negative length."""

    def __init__(self, name: str, stored: Stored) -> None:
        self.name = name
        self._stored = stored
        self._position = 0
        self._ahead, self._ahead_at = b"", 0

    def seek(self, position: int) -> int:
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_HEADER_BYTES:
            raise ValueError(f"a header says that it has {size} bytes")
        begin = self._position - self._ahead_at
        if not 0 <= begin <= begin + size <= len(self._ahead):
            self._ahead, self._ahead_at, begin = (
                self._stored.read_at(max(size, _AHEAD_BYTES), self._position),
                self._position,
                0,
            )
        data = self._ahead[begin : begin + size]
        self._position += len(data)
        return data
