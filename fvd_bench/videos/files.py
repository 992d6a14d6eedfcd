"""Where the files of videos are, what they are called, and what tells that they have changed."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Protocol

from fvd_bench.errors import VideoError

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .avi .webm .mov .mkv .gif .mpg .mpeg .ts .wmv .flv .ogv".split(),
)
IMAGE_SUFFIXES = frozenset(".jpg .jpeg .png .apng .webp .bmp .tif .tiff".split())
ANIMATION_SUFFIXES = frozenset(".png .apng .webp .tif .tiff".split())
"""Of images that may be videos of their own."""


def suffix(name: str) -> str:
    """The ending of a name, in small letters."""
    return PurePosixPath(name).suffix.lower()


def is_image(name: str) -> bool:
    return suffix(name) in IMAGE_SUFFIXES


def bare_name(name: str) -> str:
    """A video's path in its source without a file's suffix: the same for a file and a folder of its frames."""
    return name.removesuffix(PurePosixPath(name).suffix) if suffix(name) in VIDEO_SUFFIXES | IMAGE_SUFFIXES else name


def sort_key(name: str) -> tuple[bytes, bytes]:
    """Bytes of the path without a video's suffix; files that differ in the suffix alone are told apart by it."""
    return os.fsencode(bare_name(name)), os.fsencode(name)


class Files(Protocol):
    """Where the files of videos are: on disk, or in an archive. Several threads ask at once."""

    def source(self, path: PurePath) -> str | io.BytesIO:
        """What FFmpeg and Pillow open: an absolute path of a regular file, or the file in memory. Raises OSError."""

    def state(self, path: PurePath) -> bytes:
        """Cheap text that changes when the file does. Raises OSError."""


class _Disk:
    def source(self, path: PurePath) -> str:
        regular_file(Path(path))
        return str(Path(path).absolute())  # FFmpeg takes what stands before a colon for the name of a transport

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
    """The place of a regular file on disk and what changes when its bytes do. Raises OSError."""
    found = regular_file(path)
    # The time of change and the file's number tell apart what a copy with preserved times does not.
    numbers = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino)
    return os.fsencode(path.absolute()) + repr(numbers).encode()


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def regular_file(path: Path) -> os.stat_result:
    """What is known of a file that can be read again and again, links followed; nothing is opened.

    Raises OSError for what is no regular file: a pipe makes wait, and a device never ends.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(f"{path.name} is {kind}: expected a regular file, or a link to one")
    return found
