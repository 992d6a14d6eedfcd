"""Shards: several tar archives that together are one side, as WebDataset writes them.

Videos are the members with a video's suffix, and folders of images. Other members under the same key (.json, .cls,
.txt) are left out.
"""

from __future__ import annotations

import io
import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath

from fvd_bench.errors import SourceError
from fvd_bench.sources.archives import check_distinct
from fvd_bench.sources.listing import FileSource, Listing
from fvd_bench.sources.tars import TarArchive, without_suffix
from fvd_bench.videos.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix

_MOST_SHARDS = 100_000

_BRACES = re.compile(r"\{([^{}]+)\}")


def open_shards(place: Path, shards: Sequence[Path]) -> FileSource:
    """Open one side over all shards. Raises SourceError, OSError.

    place: the folder or pattern by which they were found.
    """
    archives = list(zip(_stems(shards), map(TarArchive, shards), strict=True))
    members = [
        (stem, archive, name)
        for stem, archive in archives
        for name in archive.names
        if suffix(name) in VIDEO_SUFFIXES | IMAGE_SUFFIXES
    ]
    notes = [note for _, archive in archives for note in archive.notes]
    times = Counter(name for _, _, name in members)
    twice = [name for name, n in times.items() if n > 1]
    if twice:
        notes.append(
            f"{place}: {len(twice)} names are in more than one shard, {twice[0]} for one; the name of its shard is put "
            "before every name"
        )
    files = {f"{stem}/{name}" if twice else name: (archive, name) for stem, archive, name in members}
    check_distinct(place, list(files))
    root, members_of = PurePosixPath(), _Shards(files)
    listing = Listing.of(place, files, root, members_of)
    kind = f"{listing.kind} in {len(shards)} tar shards"
    return FileSource(place, kind, listing, root, members_of, tuple(notes))


def expand(pattern: str) -> list[Path] | None:
    """Return the files that a pattern such as shard-{000..003}.tar stands for, or None if it has no braces.

    {a..b} stands for numbers, padded with zeros to the width of a. {a,b} stands for texts. Raises SourceError.
    """
    pieces = _BRACES.split(pattern)  # text, choices, text, choices, text
    if len(pieces) == 1:
        return None
    choices = [[piece] if place % 2 == 0 else _choices(piece, pattern) for place, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST_SHARDS:
        raise SourceError(f"{pattern} stands for {count:,} files: expected at most {_MOST_SHARDS:,}")
    return [Path("".join(texts)) for texts in itertools.product(*choices)]


def _choices(text: str, pattern: str) -> list[str]:
    if found := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text):
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < _MOST_SHARDS:
            raise SourceError(f"{pattern}: {{{text}}} is no range of shards: expected such as {{000..127}}")
        return [f"{number:0{len(found[1])}d}" for number in range(first, last + 1)]
    if "," not in text:
        raise SourceError(f"{pattern}: expected braces such as {{000..127}} or {{a,b}}, found {{{text}}}")
    return text.split(",")


def _stems(shards: Sequence[Path]) -> list[str]:
    """Return the names of shards without suffixes, with the folders in which they differ."""
    above = os.path.commonpath([shard.parent.absolute() for shard in shards])
    return [without_suffix(shard.absolute().relative_to(above).as_posix()) for shard in shards]


class _Shards:
    """Members of several archives, as `files.Files`."""

    def __init__(self, files: dict[str, tuple[TarArchive, str]]) -> None:
        self._files = files

    def source(self, path: PurePath) -> io.BytesIO:
        archive, name = self._files[path.as_posix()]
        return archive.source(PurePosixPath(name))

    def state(self, path: PurePath) -> bytes:
        archive, name = self._files[path.as_posix()]
        return archive.state(PurePosixPath(name))
