"""Files that are named one by one, in a list or by a pattern, as a side.

They are the side that a folder would be which holds them and nothing else: the nearest one that they all are in.
"""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from fvd_bench.errors import SourceError
from fvd_bench.paths import set_apart
from fvd_bench.sources.array_files import ARRAY_SUFFIXES
from fvd_bench.sources.array_folder import ArrayFolder
from fvd_bench.sources.clip_source import ClipSource
from fvd_bench.sources.left_out import left_out, zips_alone
from fvd_bench.sources.listing import FileSource, Listing, walk
from fvd_bench.sources.shards import open_shards
from fvd_bench.sources.tars import is_tar_name
from fvd_bench.videos.array_layout import Layout
from fvd_bench.videos.files import DISK, is_video_or_image, sort_key, suffix
from fvd_bench.words import counted, listed


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file or folder that was named.

    place: its absolute path.
    name: the absolute path that its name is taken from, which is another one for a copy of a file from elsewhere.
    columns: what a list says of it, by column.
    """

    place: Path
    name: PurePosixPath
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> NamedFile:
        place = Path(os.path.abspath(path))  # noqa: PTH100 - links stay: their names are those that people chose
        return cls(place, PurePosixPath(place))


def open_named(
    what: str,
    kind: str,
    named: Sequence[NamedFile],
    layout: Layout,
    *,
    above: PurePosixPath | None = None,
    more_notes: Sequence[str] = (),
) -> ClipSource:
    """Open the side of what was named: videos and images, or tar shards, or array files. Raises SourceError, OSError.

    what: the name of the side. kind: the form in which the files were named.
    above: the folder below which the videos have their names. None for the nearest one that all are in.
    more_notes: notes on how they were found.
    What is named and holds no video is listed by itself, so that it is skipped by its name. Copies from addresses that
    differ in their query alone have one name and are numbered.
    """
    first = {(file.name, file.place): file for file in reversed(named)}
    distinct = list(first.values())[::-1]
    if not distinct:
        raise SourceError(f"{what} names no video")
    notes = [*more_notes, *_repetitions(what, named, first)]
    above = above or _nearest_folder([file.name for file in distinct])
    names = dict(zip(set_apart(file.name.relative_to(above).as_posix() for file in distinct), distinct, strict=True))
    if all(map(is_tar_name, names)):
        side = open_shards(what, [file.place for file in distinct])
        if said := dict.fromkeys(column for file in distinct for column in file.columns):
            notes.append(
                f"{what}: what it says of tar shards ({', '.join(said)}) is not of the videos in them: left out"
            )
        return dataclasses.replace(side, more_notes=(*notes, *side.more_notes))
    if all(suffix(name) == ".zip" for name in names) and (advice := zips_alone(what, names)) is not None:
        raise SourceError(advice)
    if all(suffix(name) in ARRAY_SUFFIXES for name in names):
        places = {name: file.place for name, file in names.items()}
        rows = {name: file.columns for name, file in names.items()}
        return ArrayFolder(what, places, layout, rows=rows, more_notes=notes)
    files: dict[str, Path] = {}
    for name, file in names.items():
        is_folder = os.path.isdir(file.place)  # noqa: PTH112 - which raises nothing for a name that is too long
        inside = {f"{name}/{below}": file.place / below for below in walk(file.place)} if is_folder else {}
        files |= inside or {name: file.place}
    notes += left_out(what, files.keys() - names.keys())
    placed = _Placed(files)
    listing = _listing(what, placed, names)
    columns = _columns(what, listing, names)
    return FileSource(what, f"{listing.kind} {kind}".rstrip(), listing, PurePosixPath(), placed, tuple(notes), columns)


def _repetitions(
    what: str, named: Sequence[NamedFile], first: Mapping[tuple[PurePosixPath, Path], NamedFile]
) -> list[str]:
    """Say how much is named again, and which columns differ from those of the first time. first: by name and place."""
    if len(named) == len(first):
        return []
    again = counted(len(named) - len(first), "name", "are", of=len(named))
    note = f"{what}: {again} given again; each is used once"
    others = [file.name.name for file in named if file.columns != first[file.name, file.place].columns]
    if others:
        note += f", with the columns of its first row; another row has others for {listed(dict.fromkeys(others))}"
    return [note]


def _nearest_folder(names: Sequence[PurePosixPath]) -> PurePosixPath:
    return PurePosixPath(os.path.commonpath([name.parent for name in names]))


def _listing(what: str, placed: _Placed, names: Mapping[str, NamedFile]) -> Listing:
    """List the videos among the files, and by itself what was named and holds none."""
    usable = list(filter(is_video_or_image, placed.files))
    listing = Listing.of(what, usable, PurePosixPath(), placed)
    without = names.keys() - {_owner(file, names) for file in usable}
    return dataclasses.replace(listing, names=tuple(sorted([*listing.names, *without], key=sort_key)))


def _columns(what: str, listing: Listing, names: Mapping[str, NamedFile]) -> dict[str, list[str]]:
    """Return the entries of each column, in the order of the videos. Raises SourceError where one video has two."""
    columns: dict[str, list[str]] = {column: [] for file in names.values() for column in file.columns}
    if not columns:
        return columns
    for video in listing.names:
        members = [f"{video}/{image}" for image in listing.images.get(video, ())] or [video]
        rows = [names[_owner(member, names)].columns for member in members]
        for column, entries in columns.items():
            first, *others = dict.fromkeys(row.get(column, "") for row in rows)
            if others:
                raise SourceError(f"{what} says of the images of {video} that {column} is {first!r} and {others[0]!r}")
            entries.append(first)
    return columns


def _owner(file: str, names: Mapping[str, NamedFile]) -> str:
    """Return the name by which a file was named: its own, or that of a folder that it is in."""
    return next(name for name in (file, *map(str, PurePosixPath(file).parents)) if name in names)


class _Placed:
    """Files wherever they are, as `files.Files`. files: the place of each by name."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def source(self, path: PurePath) -> str | io.BytesIO:
        return DISK.source(self.files[path.as_posix()])

    def state(self, path: PurePath) -> bytes:
        return DISK.state(self.files[path.as_posix()])
