"""A zip archive of videos: listed once, read by several threads into memory, never unpacked to disk.

Archives come from elsewhere, so nothing in one is believed: names that could lead out of a folder, names that
stand for two files, and overlapping members refuse the archive; links, encrypted members, other compression than
deflate, and members that are too large refuse what is made from them.
"""

from __future__ import annotations

import io
import re
import stat
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath

from fvd_bench.errors import SourceError
from fvd_bench.files import VIDEO_SUFFIXES, file_state

_MOST_VIDEO_BYTES = 1 << 30  # of a member: it is held in memory while it is decoded
_MOST_IMAGE_BYTES = 1 << 28
_MOST_RATIO = 200
_RATIO_FROM_BYTES = 1 << 26  # below this a member of black pixels may be packed as tightly as it likes

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # of the flags: encrypted, strongly encrypted, directory encrypted

_READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)
"""What zipfile raises for archives that are damaged in one way or another, besides OSError."""


class Archive:
    """The visible files of a zip archive, as `files.Files`. names: their paths in it."""

    def __init__(self, path: Path) -> None:
        """Read the directory of an archive. Raises SourceError, OSError."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except _READ_ERRORS as error:
            raise SourceError(
                f"{path} cannot be read as a zip archive ({error}): expected a whole .zip file, and its directory "
                "stands at its end; get or make it again, or unpack it and pass the folder"
            ) from error
        self._opening = threading.Lock()
        self._members = _members(path, self._zip)
        self.names = tuple(self._members)

    def source(self, path: PurePath) -> io.BytesIO:
        """The bytes of a member. Raises OSError when they cannot be had, or had better not be."""
        info = self._members[path.as_posix()]
        if problem := _problem(info):
            raise OSError(f"{info.filename} in the archive {problem}")
        try:
            with self._opening:  # zipfile locks reading, but not its count of open members
                member = self._zip.open(info)
            try:
                data = member.read(info.file_size)  # without a number, all that the member unpacks to
            finally:
                with self._opening:
                    member.close()
        except (OSError, *_READ_ERRORS) as error:
            raise OSError(f"{info.filename} in the archive: {str(error) or type(error).__name__}") from error
        if len(data) != info.file_size:
            raise OSError(f"{info.filename} in the archive breaks off: {len(data)} of {info.file_size} bytes are there")
        return _Named(data, info.filename)

    def state(self, path: PurePath) -> bytes:
        """Cheap text that changes when a member does. Raises OSError."""
        info = self._members[path.as_posix()]
        return file_state(self.path) + repr((info.filename, info.CRC, info.file_size)).encode()


class _Named(io.BytesIO):
    """FFmpeg looks at the ending of the name when it guesses a format."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def _members(path: Path, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Visible files by name. Raises SourceError when names or places of members cannot be right."""
    infos = archive.infolist()
    for info in infos:
        if not _is_plain(info.orig_filename):
            raise SourceError(
                f"{path} has a member named {info.orig_filename!r}: expected relative paths with / between their "
                "parts and no .. among them; unpack the archive if you trust it, and pass the folder"
            )
    files = [info for info in infos if not info.is_dir()]
    names = Counter(info.filename for info in files)
    names.update(_folders(names))
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise SourceError(
            f"{path} has {len(twice)} names that stand for two members, {twice[0]!r} for one: it is not said which "
            "is meant; make the archive again"
        )
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise SourceError(
            f"{path}: its members are larger together than the archive, so they overlap or their sizes are wrong; "
            "get or make it again"
        )
    return {info.filename: info for info in files if not _is_hidden(info.filename)}


def _folders(files: Iterable[str]) -> set[str]:
    """All folders that files are in, at any depth."""
    nearest = {file.rpartition("/")[0] for file in files} - {""}
    return nearest.union(*(map(str, list(PurePosixPath(folder).parents)[:-1]) for folder in nearest))


def _is_plain(name: str) -> bool:
    if re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name:
        return False
    return not {"", ".", ".."} & set(name.removesuffix("/").split("/"))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _problem(info: zipfile.ZipInfo) -> str | None:
    """Why a member is not read."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device: expected the file itself"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted: unpack the archive and pass the folder"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {info.compress_type}: expected deflate, or none"
    is_video = PurePosixPath(info.filename).suffix.lower() in VIDEO_SUFFIXES
    most = _MOST_VIDEO_BYTES if is_video else _MOST_IMAGE_BYTES
    if info.file_size > most:
        return f"has {info.file_size:,} bytes, at most {most:,} are read into memory: unpack it and pass the folder"
    if info.file_size > max(_RATIO_FROM_BYTES, _MOST_RATIO * info.compress_size):
        grows = f"would grow from {info.compress_size:,} to {info.file_size:,} bytes, as no video or image usually does"
        return f"{grows}: unpack the archive if you trust it, and pass the folder"
    return None
