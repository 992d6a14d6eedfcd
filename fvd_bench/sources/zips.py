"""A zip archive of videos. It is listed once, and several threads read it into memory; it is never unpacked to disk.

Archives are untrusted. An archive is refused for names that could lead out of a folder, names that stand for two files,
and overlapping members. Links, encrypted members, other compression than deflate, and members that are too large are
refused when they are read.
"""

from __future__ import annotations

import io
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import IO

from fvd_bench.errors import SourceError
from fvd_bench.sources.archives import (
    MOST_RATIO,
    RATIO_FROM_BYTES,
    MemberFile,
    check_distinct,
    check_plain,
    is_hidden,
    size_problem,
)
from fvd_bench.videos.files import file_state

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # flags: encrypted, strongly encrypted, directory encrypted

_LOCAL_HEADER = struct.Struct("<26sHH")
"""The header before a member: what its directory entry says too, then the lengths of its name and of an extra field."""

READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)
"""What zipfile raises, besides OSError, for archives that are damaged in one way or another."""


class Archive:
    """The visible files of a zip archive, as `files.Files`.

    names: their paths in the archive.
    num_bytes: size of all members, unpacked.
    """

    def __init__(self, path: Path) -> None:
        """Read the directory of an archive. Raises SourceError, OSError."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except READ_ERRORS as error:
            raise SourceError(
                f"{path} cannot be read as a zip archive ({error}): expected a whole .zip file, and its directory "
                "stands at its end; get or make it again, or unpack it and pass the folder"
            ) from error
        self._opening = threading.Lock()
        self._members = _members(path, self._zip)
        self.names = tuple(self._members)
        self.num_bytes = sum(info.file_size for info in self._zip.infolist())

    def __reduce__(self) -> tuple[type[Archive], tuple[Path]]:
        """Let another process open the archive for itself."""
        return type(self), (self.path,)

    def source(self, path: PurePath) -> io.BytesIO:
        """Read the bytes of a member. Raises OSError when they cannot be read, or are refused."""
        info = self.info(path)
        if problem := _problem(info):
            raise OSError(f"{info.filename} in the archive {problem}")
        try:
            with self._opening:  # zipfile locks reading, but not its count of open members
                member = self._zip.open(info)
            try:
                data = member.read(info.file_size)  # without a size it would read all that the member unpacks to
            finally:
                with self._opening:
                    member.close()
        except (OSError, *READ_ERRORS) as error:
            raise OSError(f"{info.filename} in the archive: {str(error) or type(error).__name__}") from error
        if len(data) != info.file_size:
            raise OSError(f"{info.filename} in the archive breaks off: {len(data)} of {info.file_size} bytes are there")
        return MemberFile(data, info.filename)

    def state(self, path: PurePath) -> bytes:
        """Return bytes that cost little and change when a member does. Raises OSError."""
        info = self.info(path)
        return file_state(self.path) + repr((info.filename, info.CRC, info.file_size)).encode()

    def open(self, path: PurePath) -> IO[bytes]:
        """Open a member, which is unpacked as it is read. Opening and reading raise OSError and READ_ERRORS."""
        info = self.info(path)
        if info.flag_bits & _ENCRYPTED:
            raise OSError("it is encrypted")
        with self._opening:
            return self._zip.open(info)

    def info(self, path: PurePath) -> zipfile.ZipInfo:
        """Return the directory entry of a member."""
        return self._members[path.as_posix()]

    def offset(self, path: PurePath) -> int:
        """Return where the bytes of an uncompressed member begin. Raises OSError."""
        info = self.info(path)
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) != _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
                raise OSError("its header is damaged")
            _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        begin: int = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if begin + info.file_size > self.path.stat().st_size:
            raise OSError("it breaks off")
        return begin


def _members(path: Path, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Return the visible files by name. Raises SourceError when names or places of members cannot be right."""
    infos = archive.infolist()
    check_plain(path, (info.orig_filename for info in infos))
    files = [info for info in infos if not info.is_dir()]
    check_distinct(path, [info.filename for info in files])
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise SourceError(
            f"{path}: its members are larger together than the archive, so they overlap or their sizes are wrong; "
            "get or make it again"
        )
    return {info.filename: info for info in files if not is_hidden(info.filename)}


def _problem(info: zipfile.ZipInfo) -> str | None:
    """Say why a member is not read. None if it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device: expected the file itself"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted: unpack the archive and pass the folder"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {info.compress_type}: expected deflate, or none"
    if problem := size_problem(info.filename, info.file_size):
        return problem
    if info.file_size > max(RATIO_FROM_BYTES, MOST_RATIO * info.compress_size):
        grows = f"would grow from {info.compress_size:,} to {info.file_size:,} bytes, as no video or image usually does"
        return f"{grows}: unpack the archive if you trust it, and pass the folder"
    return None
