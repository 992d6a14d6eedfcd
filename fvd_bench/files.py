"""Where the files of videos are, what they are called, and what tells that they have changed."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

from fvd_bench.errors import VideoError

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .avi .webm .mov .mkv .gif .mpg .mpeg .ts .wmv .flv .ogv".split(),
)
IMAGE_SUFFIXES = frozenset(".jpg .jpeg .png .webp .bmp .tif .tiff".split())


class Files(Protocol):
    """Where the files of videos are: on disk, or in an archive. Several threads ask at once."""

    def source(self, path: PurePath) -> str | io.BytesIO:
        """What FFmpeg and Pillow open: an absolute path, or the file in memory. Raises OSError."""

    def state(self, path: PurePath) -> bytes:
        """Cheap text that changes when the file does. Raises OSError."""


class _Disk:
    def source(self, path: PurePath) -> str:
        path = Path(path).absolute()  # FFmpeg takes what stands before a colon for the name of a transport
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(f"{path.name} is a pipe, a device or a folder: expected a file")
        return str(path)

    def state(self, path: PurePath) -> bytes:
        return file_state(Path(path))


DISK: Files = _Disk()


def sha256_of(files: Files, path: PurePath) -> str:
    """sha256 of a file's bytes. Raises VideoError."""
    try:
        source = files.source(path)
        with Path(source).open("rb") if isinstance(source, str) else source as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror or error}") from error


def state_of(files: Files, paths: Sequence[PurePath]) -> str:
    """The states of files in one digest. Raises VideoError."""
    try:
        return hashlib.sha256(b"\0".join(map(files.state, paths))).hexdigest()
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror or error}") from error


def file_state(path: Path) -> bytes:
    """The place of a file on disk and what changes when its bytes do. Raises OSError."""
    found = path.stat()
    # The time of change and the file's number tell apart what a copy with preserved times does not.
    numbers = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino)
    return os.fsencode(path.absolute()) + repr(numbers).encode()
