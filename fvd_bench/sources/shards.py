"""Shards: several tar archives that together are one side, as WebDataset writes them.

Videos are the members with a video's suffix, and folders of images. Other members under the same key (.json, .cls,
.txt) are left out.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath

from fvd_bench.paths import set_apart
from fvd_bench.sources.archives import check_distinct
from fvd_bench.sources.left_out import left_out
from fvd_bench.sources.listing import FileSource, Listing
from fvd_bench.sources.tars import TarArchive, without_suffix
from fvd_bench.videos.files import is_video_or_image
from fvd_bench.words import counted


def open_shards(place: PurePath | str, shards: Sequence[Path]) -> FileSource:
    """Open one side over all shards. Raises SourceError, OSError.

    place: the folder or pattern by which they were found.
    """
    above = os.path.commonpath([shard.parent.absolute() for shard in shards])
    below = [PurePosixPath(shard.absolute().relative_to(above).as_posix()) for shard in shards]
    return side_of(place, list(zip(stems(below), map(TarArchive, shards), strict=True)))


def stems(paths: Iterable[PurePosixPath]) -> list[str]:
    """Return the names of shards without their suffixes, no two the same, although `s.tar` and `s.tar.gz` may be."""
    return set_apart(without_suffix(str(path)) for path in paths)


def side_of(place: PurePath | str, archives: Sequence[tuple[str, TarArchive]]) -> FileSource:
    """Return the side of all archives. Raises SourceError, OSError.

    archives: each with what is put before the names in it where two archives have the same.
    """
    members = [(stem, archive, name) for stem, archive in archives for name in archive.names if is_video_or_image(name)]
    notes = [
        note for _, archive in archives for note in (*archive.notes, *left_out(archive.path, archive.names, by=None))
    ]
    times = Counter(name for _, _, name in members)
    twice = [name for name, n in times.items() if n > 1]
    if twice:
        notes.append(
            f"{place}: {counted(len(twice), 'name', 'are')} in more than one shard, {twice[0]} for one; the name of "
            "its shard is put before every name"
        )
    names = [f"{stem}/{name}" if twice else name for stem, _, name in members]
    check_distinct(place, names)
    files = {full: (archive, name) for full, (_, archive, name) in zip(names, members, strict=True)}
    root, members_of = PurePosixPath(), _Shards(files)
    listing = Listing.of(str(place), files, root, members_of)
    kind = f"{listing.kind} in {counted(len(archives), 'tar shard')}"
    return FileSource(str(place), kind, listing, root, members_of, tuple(notes))


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
