"""What all archives of videos have in common: checks of names and sizes, and members in memory."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath

from fvd_bench.errors import SourceError
from fvd_bench.videos.files import VIDEO_SUFFIXES, suffix
from fvd_bench.words import counted

_MOST_VIDEO_BYTES = 1 << 30  # the limit of a member, which is held in memory while it is decoded
_MOST_IMAGE_BYTES = 1 << 28

MOST_RATIO = 200
RATIO_FROM_BYTES = 1 << 26
"""A member may grow to this size whatever its ratio: black pixels compress very well."""


class MemberFile(io.BytesIO):
    """A member in memory, with its name: FFmpeg looks at the suffix when it guesses a format."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def check_plain(path: PurePath | str, names: Iterable[str]) -> None:
    """Raise SourceError when a member's name leads out of a folder, or is written in an unusual way."""
    for name in names:
        if not _is_plain(name):
            raise SourceError(
                f"{path} has a member named {name!r}: expected relative paths with / between their "
                "parts and no .. among them; unpack the archive if you trust it, and pass the folder"
            )


def check_distinct(path: PurePath | str, files: Sequence[str]) -> None:
    """Raise SourceError when a name stands for two members, or for a file and a folder."""
    names = Counter(files)
    names.update(_folders(names))
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise SourceError(
            f"in {path} {counted(len(twice), 'name', 'stand')} for two members, {twice[0]!r} for one: it is not said "
            "which is meant; make the archive again"
        )


def is_hidden(name: str) -> bool:
    """Return whether a member is to be left out, because it is hidden or macOS put it beside the files."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def size_problem(name: str, num_bytes: int) -> str | None:
    """Say why a member of this size is not read into memory. None if it is."""
    most = _MOST_VIDEO_BYTES if suffix(name) in VIDEO_SUFFIXES else _MOST_IMAGE_BYTES
    if num_bytes <= most:
        return None
    return f"has {num_bytes:,} bytes, at most {most:,} are read into memory: unpack it and pass the folder"


def _folders(files: Iterable[str]) -> set[str]:
    """Return all folders that contain files, at any depth."""
    nearest = {file.rpartition("/")[0] for file in files} - {""}
    return nearest.union(*(map(str, list(PurePosixPath(folder).parents)[:-1]) for folder in nearest))


def _is_plain(name: str) -> bool:
    if re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name:
        return False
    return not {"", ".", ".."} & set(name.removesuffix("/").split("/"))
