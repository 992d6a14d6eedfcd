"""Whether a file is one of those that a side is made of, so that no result is written over a video or among frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fvd_bench.errors import FvdBenchError
from fvd_bench.paths import is_same_file, user_path
from fvd_bench.sources.addresses import is_address
from fvd_bench.sources.array_files import ARRAY_SUFFIXES, inside
from fvd_bench.sources.array_folder import holds_arrays
from fvd_bench.sources.listing import Listing, walk
from fvd_bench.sources.patterns import is_pattern, matching
from fvd_bench.sources.tars import is_tar_name
from fvd_bench.sources.video_lists import LIST_SUFFIXES, read_list
from fvd_bench.videos.files import DISK, is_video_or_image, suffix


def takes(side: str | os.PathLike[str], file: Path) -> bool:
    """Return whether a side on this disk is made of a file among others, or would be if that were written.

    side: what can be opened by its path: a folder, a list, a pattern, or an array in a file. Others take no file here.
    file: an absolute path whose folder is without links. It need not be there.
    """
    if not (is_video_or_image(file.name) or suffix(file.name) in ARRAY_SUFFIXES or is_tar_name(file.name)):
        return False
    try:
        return any(path == file or is_same_file(path, file) for path in _members(side, file))
    except (OSError, FvdBenchError):  # what is wrong with a side is said when it is opened
        return False


def _members(side: str | os.PathLike[str], file: Path) -> Iterator[Path]:
    """Yield the files of a side. In a folder, `file` is taken to be there. Raises SourceError, OSError."""
    place = user_path(side)
    if is_address(side):
        return
    if place.is_dir():
        yield from _in_folder(place.resolve(), file)
    elif (array := inside(place)) is not None:
        yield array[0]
    elif suffix(place.name) in LIST_SUFFIXES and place.is_file():
        for row in read_list(place):
            if not is_address(row.path):
                yield from _named(place.absolute().parent / user_path(row.path), file)
    elif not place.exists() and is_pattern(str(place)):
        for path in matching(str(place))[0]:
            yield from _named(path.absolute(), file)


def _named(path: Path, file: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from _in_folder(path.resolve(), file)
    else:
        yield path


def _in_folder(folder: Path, file: Path) -> Iterator[Path]:
    files = {*walk(folder), *([file.relative_to(folder).as_posix()] if file.is_relative_to(folder) else ())}
    if holds_arrays(files):
        yield from (folder / name for name in files if suffix(name) in ARRAY_SUFFIXES)
    elif not any(map(is_video_or_image, files)):
        yield from (folder / name for name in files if is_tar_name(name))
    else:
        listing = Listing.of(str(folder), files, folder, DISK)
        for name in listing.names:
            yield from (folder / name / image for image in listing.images.get(name, ("",)))
