"""Opening one side of a comparison, in any form in which people have videos.

A path is a folder of video files, of frame folders, of images, of tar shards or of array files, a zip or tar archive,
an array file or an array in one, a list of videos, a pattern, an address, or module:function. Objects are paths,
arrays, tensors, lists and dicts of them, iterables, datasets, and anything with the members of a `ClipSource`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fvd_bench.errors import SourceError, VideoError, cause
from fvd_bench.escapes import redact
from fvd_bench.paths import user_path
from fvd_bench.plugins import running_user_code
from fvd_bench.progress import Progress, silent
from fvd_bench.sources.addresses import check_not_mangled, is_address
from fvd_bench.sources.array_files import ARRAY_SUFFIXES, inside, open_array_file
from fvd_bench.sources.array_folder import ArrayFolder, holds_arrays
from fvd_bench.sources.arrays import ArrayVideos, numbered
from fvd_bench.sources.clip_source import ClipSource
from fvd_bench.sources.fetched import AtAddress, fetch
from fvd_bench.sources.functions import GeneratorSource, find_function, is_function_name
from fvd_bench.sources.hub_datasets import is_dataset, open_dataset
from fvd_bench.sources.iterables import IterableVideos
from fvd_bench.sources.left_out import left_out, zips_alone
from fvd_bench.sources.listing import FileSource, Listing, walk
from fvd_bench.sources.named_files import NamedFile, open_named
from fvd_bench.sources.patterns import expand, is_pattern, matching
from fvd_bench.sources.reference_names import is_reference
from fvd_bench.sources.remote_shards import open_remote_shards, remote_shards
from fvd_bench.sources.shards import open_shards
from fvd_bench.sources.tars import TarArchive, is_tar, is_tar_name
from fvd_bench.sources.video_lists import LIST_SUFFIXES, Row, open_list, read_list
from fvd_bench.sources.zips import Archive
from fvd_bench.videos.array_layout import Block, Layout, ValueRange
from fvd_bench.videos.arrays import as_block
from fvd_bench.videos.files import DISK, is_video_or_image, regular_file, suffix
from fvd_bench.words import counted

__all__ = [
    "Arrays",
    "ClipSource",
    "GeneratorSource",
    "SourceLike",
    "check_something_decodes",
    "open_source",
    "takes_layout",
]


@dataclass(frozen=True, eq=False)
class Arrays:
    """Videos in arrays, with what has to be stated about them.

    videos: an array or tensor, a list or dict of them, an iterable, or a path: of an array file, of a folder of these,
        or module:function.
    axes: one letter per axis in any order: NTHWC for many videos in one array, THWC for one video, without C where grey
        videos have no axis of channels. None to take the only order that fits.
    value_range: the values of black and white in floats, such as (-1, 1). None for uint8.
    """

    videos: Any  # the forms above have no type in common
    _: KW_ONLY
    axes: str | None = None
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        """Raises SourceError."""
        Layout(self.axes, self.value_range)


SourceLike = str | os.PathLike[str] | ClipSource | Arrays | Mapping[str, Any] | Iterable[Any]
"""What can be opened as a side: a side, the path or address of one, paths of its videos, or videos in memory."""


def open_source(source: SourceLike, progress: Progress = silent) -> ClipSource:
    """Open one side. What is a side already is returned as it is.

    progress: called with what is copied from an address, how many files of it are, and how many there are.
    Raises SourceError, saying what was found and what is accepted.
    """
    if not isinstance(source, Arrays):
        return _open(source, Layout(), progress)
    layout = Layout(source.axes, source.value_range)
    if isinstance(source.videos, str | os.PathLike) and not takes_layout(source.videos):
        raise SourceError(f"{source.videos}: axes and a value range are stated, but only of arrays: leave them out")
    opened = _open(source.videos, layout, progress)
    if layout != Layout() and not hasattr(opened, "value_range"):
        raise SourceError(f"{opened.name}: axes and a value range are stated, but only of arrays: leave them out")
    return opened


def takes_layout(path: str | os.PathLike[str]) -> bool:
    """Return whether axes and a value range can be stated for what is at a path: array files, or what may lead to them,
    which is a list, a pattern, an address, or module:function."""
    place = user_path(path)
    if is_address(path):
        return True
    if place.is_dir():
        return holds_arrays(walk(place))
    if place.exists():
        return suffix(place.name) in ARRAY_SUFFIXES | LIST_SUFFIXES
    return inside(place) is not None or is_pattern(os.fspath(path)) or is_function_name(os.fspath(path))


def _open(source: SourceLike, layout: Layout, progress: Progress, name: str | None = None) -> ClipSource:
    """Open a side. name: the name of the side if it is in memory and has one. Else None."""
    if isinstance(source, str) and is_address(source):
        return _open_address(source, layout, progress)
    if isinstance(source, str | os.PathLike):
        path = user_path(source)
        try:
            return _open_path(path, layout, progress)
        except OSError as error:
            raise SourceError(f"{error.filename or path}: {cause(error)}") from error
    if hasattr(source, "names") and hasattr(source, "video"):
        return _checked(source)
    if is_dataset(source):
        return open_dataset(source, layout, progress)
    form = type(source).__name__
    if (block := as_block(source)) is not None:
        return ArrayVideos.of_one(name or "an array in memory", f"{form} in memory", block, layout, stamp=None)
    if isinstance(source, list | tuple) and source and all(isinstance(item, str | os.PathLike) for item in source):
        what = name or f"{form} of {len(source)} paths"
        return open_list(what, [Row(os.fspath(item), {}) for item in source], Path.cwd(), layout, progress)
    if isinstance(source, list | tuple):
        source = dict(zip(numbered(len(source)), source, strict=True))
    if isinstance(source, Mapping):
        blocks, kind = _blocks(source), f"{form} of arrays"
        return ArrayVideos.of_many(name or f"{kind} in memory", kind, blocks, layout, stamp=None)
    if isinstance(source, Iterable):
        return IterableVideos(name or f"an iterable of type {form}", source, layout)
    return _checked(source)


def _blocks(arrays: Mapping[Any, Any]) -> dict[str, Block]:
    found: dict[str, Block] = {}
    for key, array in arrays.items():
        block = as_block(array)
        if block is None:
            raise SourceError(
                f"video {key} in memory is of type {type(array).__name__}: expected an array or tensor of four axes, "
                "uint8 [T, H, W, C] or in stated axes"
            )
        found[str(key)] = block
    return found


def _open_path(path: Path, layout: Layout, progress: Progress) -> ClipSource:
    if path.is_dir():
        return _open_folder(path, layout)
    if inside(path) is not None:
        return open_array_file(path, layout)
    if not path.exists():
        return _open_name(path, layout, progress)
    regular_file(path)
    ending = suffix(path.name)
    if ending in ARRAY_SUFFIXES:
        return open_array_file(path, layout)
    if ending in LIST_SUFFIXES:
        return open_list(str(path), read_list(path), path.parent, layout, progress)
    if is_video_or_image(path.name):
        return open_named(str(path), "", [NamedFile.of(path)], layout)
    if ending == ".zip" or zipfile.is_zipfile(path):
        return _in_archive(Archive(path), "zip", notes=())
    if is_tar(path):
        archive = TarArchive(path)
        return _in_archive(archive, "tar", notes=archive.notes)
    raise SourceError(
        f"{path} is a file; a side is a folder, a video or image file, an array file "
        f"({' '.join(sorted(ARRAY_SUFFIXES))}), a list of videos ({' '.join(sorted(LIST_SUFFIXES))}), or a .zip "
        "archive or .tar archive"
    )


def _open_folder(path: Path, layout: Layout) -> ClipSource:
    files = list(walk(path))
    shards = sorted(path / file for file in files if is_tar_name(file))
    if holds_arrays(files):
        return ArrayFolder(str(path), {file: path / file for file in files}, layout, more_notes=left_out(path, files))
    if not any(map(is_video_or_image, files)):
        if shards:
            side = open_shards(path, shards)
            return replace(side, more_notes=(*side.more_notes, *left_out(path, files, shards=True)))
        if (advice := zips_alone(path, files)) is not None:
            raise SourceError(advice)
    return _in_folder(path, files, left_out(path, files))


def _in_folder(path: Path, files: Iterable[str], notes: tuple[str, ...]) -> FileSource:
    listing = Listing.of(str(path), files, path, DISK)
    return FileSource(str(path), listing.kind, listing, path, DISK, notes)


def _in_archive(archive: Archive | TarArchive, form: str, *, notes: Sequence[str]) -> FileSource:
    root = PurePosixPath()
    listing = Listing.of(str(archive.path), archive.names, root, archive)
    kind = f"{listing.kind} in a {form} archive"
    notes = (*notes, *left_out(archive.path, archive.names, by=None))
    return FileSource(str(archive.path), kind, listing, root, archive, notes)


def _open_name(path: Path, layout: Layout, progress: Progress) -> ClipSource:
    """Open what is not a file: a pattern, or a function."""
    name = str(path)
    if is_reference(name):
        raise SourceError(f"{name} names a reference, which holds statistics of videos: expected videos")
    if is_pattern(name):
        found, notes = matching(name)
        return open_named(
            name, "that match a pattern", [NamedFile.of(file) for file in found], layout, more_notes=notes
        )
    if not is_function_name(name):
        check_not_mangled(path)
        if path.is_symlink():
            raise SourceError(f"{path} is a link to {path.readlink()}, where there is nothing")
        raise SourceError(f"{path} does not exist")
    function = find_function(name)
    videos: Any  # whatever it returns
    with running_user_code(f"{name}: calling it", raising=SourceError):
        videos = function()
    if videos is None:
        raise SourceError(f"{name} returned nothing: expected an iterable of videos, or another side")
    return _open(videos, layout, progress, name)


def _open_address(address: str, layout: Layout, progress: Progress) -> ClipSource:
    if shards := remote_shards(addresses := expand(address)):
        return open_remote_shards(redact(address), shards)
    if len(addresses) > 1:
        return open_list(redact(address), [Row(one, {}) for one in addresses], Path.cwd(), layout, progress)
    fetched = fetch(address, progress)
    try:
        if fetched.is_folder:
            side = open_named(fetched.shown, "", fetched.files, layout, above=fetched.above)
        elif suffix(fetched.files[0].name.name) in LIST_SUFFIXES:
            rows = read_list(fetched.files[0].place)
            side = open_list(fetched.shown, rows, address.rpartition("/")[0], layout, progress)
        else:
            side = _open_path(fetched.files[0].place, layout, progress)
    except SourceError as error:
        raise SourceError(fetched.in_words(str(error))) from error
    except OSError as error:
        raise SourceError(f"{fetched.shown}: {cause(error)}") from error
    return AtAddress(side, fetched)


def _checked(source: Any) -> ClipSource:
    """Return an object that is a side already. Raises SourceError when it lacks members of one, or holds no video."""
    lacking = [name for name in ("names", "video", "name", "kind", "notes") if not hasattr(source, name)]
    if lacking:
        raise SourceError(
            f"an object of type {type(source).__name__} is no side, it has no {', no '.join(lacking)}: expected a "
            "path, arrays, an iterable of videos, or an object like fvd_bench.sources.opening.ClipSource"
        )
    checked: ClipSource = source
    if not isinstance(source, IterableVideos) and not checked.names:
        raise SourceError(f"{source.name} holds no video")
    return checked


def check_something_decodes(source: ClipSource) -> None:
    """Raise SourceError when no video of the source has a first frame, or the first one found is not uint8 [H, W,
    3]."""
    first_reason: str | None = None
    for index, name in enumerate(source.names):
        try:
            frame = next(iter(source.video(index).frames(np.zeros(1, dtype=np.int64))))
        except VideoError as error:
            first_reason = first_reason or f"{name}: {error}"
            continue
        pixels = frame.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise SourceError(
                f"{source.name}: the frames of {name} are {pixels.dtype} {list(pixels.shape)}: expected uint8 [height, "
                "width, 3], RGB"
            )
        return
    raise SourceError(
        f"{source.name}: none of its {counted(len(source.names), 'video')} can be decoded; the first is {first_reason}"
    )
