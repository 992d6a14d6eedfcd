"""Where the files of videos are, how they are named, and how a change in them is noticed."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

from fvd_bench.errors import VideoError, cause

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .avi .webm .mov .mkv .gif .mpg .mpeg .ts .wmv .flv .ogv".split(),
)
IMAGE_SUFFIXES = frozenset(".jpg .jpeg .png .apng .webp .bmp .tif .tiff".split())
ANIMATION_SUFFIXES = frozenset(".png .apng .webp .tif .tiff".split())
"""Suffixes of image files that may hold a whole video."""


def suffix(name: str) -> str:
    """Return the suffix of a name, in lower case."""
    return _ending(name).lower()


def _ending(name: str) -> str:
    """Return what `PurePosixPath(name).suffix` does, in a tenth of the time: lists may have a million names."""
    last = name.rstrip("/").rpartition("/")[2]
    dot = last.rfind(".")
    return last[dot:] if 0 < dot < len(last) - 1 else ""


def is_image(name: str) -> bool:
    """Return whether a file is an image, by the end of its name."""
    return suffix(name) in IMAGE_SUFFIXES


def is_video_or_image(name: str) -> bool:
    """Return whether a file is a video or an image, by the end of its name."""
    return suffix(name) in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def bare_name(name: str) -> str:
    """Return a video's path in its source without the suffix of a video or image file.

    It is the same for a file and for a folder of its frames.
    """
    return name.removesuffix(_ending(name)) if is_video_or_image(name) else name


def sort_key(name: str) -> tuple[bytes, bytes]:
    """Return the bytes of the path without the suffix of a video or image file, and those of the whole path.

    The second decides between files that differ in the suffix alone.
    """
    return os.fsencode(bare_name(name)), os.fsencode(name)


class Files(Protocol):
    """The place where the files of videos are: the disk, or an archive. Several threads call it at once."""

    def source(self, path: PurePath) -> str | io.BytesIO:
        """Return what FFmpeg and Pillow open: the absolute path of a regular file, or the file in memory. Raises
        OSError."""

    def state(self, path: PurePath) -> bytes:
        """Return bytes that cost little and change when the file does. Raises OSError."""


class _Disk:
    def source(self, path: PurePath) -> str:
        regular_file(Path(path))
        return str(Path(path).absolute())  # FFmpeg takes what precedes a colon for the name of a transport

    def state(self, path: PurePath) -> bytes:
        return file_state(Path(path))


DISK: Files = _Disk()


def sha256_of(files: Files, path: PurePath) -> str:
    """Return the sha256 of a file's bytes. Raises VideoError."""
    try:
        source = files.source(path)
        with Path(source).open("rb") if isinstance(source, str) else source as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VideoError(f"cannot be read: {cause(error)}") from error


def state_of(files: Files, paths: Sequence[PurePath]) -> str:
    """Return one digest of the states of several files. Raises VideoError."""
    try:
        return hashlib.sha256(b"\0".join(map(files.state, paths))).hexdigest()
    except OSError as error:
        raise VideoError(f"cannot be read: {cause(error)}") from error


def file_state(path: Path) -> bytes:
    """Return the path of a regular file on disk, with what changes when its bytes do. Raises OSError."""
    found = regular_file(path)
    # A copy with preserved times has the same size and time of modification, but another ctime and inode number.
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
    """Return the status of a file that can be read repeatedly. Links are followed, and nothing is opened.

    Raises OSError for what is not a regular file: reading a pipe may block, and a device never ends.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(f"{path.name} is {kind}: expected a regular file, or a link to one")
    return found
