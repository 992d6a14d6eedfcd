"""A folder of array files as a side, with one video in each file, opened when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from fvd_bench.errors import SourceError, VideoError, cause
from fvd_bench.sources.array_files import ARRAY_SUFFIXES, HDF5_SUFFIXES, read_arrays
from fvd_bench.sources.hdf5_sets import index_sets
from fvd_bench.sources.tars import is_tar_name
from fvd_bench.videos.array_layout import Block, KnownLayout, Layout
from fvd_bench.videos.arrays import ArrayVideo
from fvd_bench.videos.files import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    file_state,
    sort_key,
    suffix,
)
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame, Video
from fvd_bench.words import counted


class ArrayFolder:
    """A side of array files.

    names: their paths below the folder without suffix, in the order in which video files are sorted.
    value_range: the range that is stated for floats. None for uint8.
    columns: for each column of a list of the files, its entries in the order of the videos.
    The first file that can be read decides on the type of values, and on the axes where these are not stated. Files
    that differ from it, or that cannot be read, are bad videos.
    """

    kind = "array files"

    def __init__(
        self,
        name: str,
        files: Mapping[str, Path],
        layout: Layout,
        *,
        rows: Mapping[str, Mapping[str, str]] = {},
        more_notes: Sequence[str],
    ) -> None:
        """List the array files among `files`, which are relative POSIX paths with the places of the files.

        rows: what a list says of each file, by column. more_notes: notes besides those on the arrays.
        Raises SourceError when no file can be used.
        """
        self.name = name
        self._files: dict[str, Path] = {}
        said: dict[str, Mapping[str, str]] = {}
        for file, place in sorted(files.items()):
            if suffix(file) in ARRAY_SUFFIXES:
                video = file.removesuffix(PurePosixPath(file).suffix)
                other = self._files.setdefault(video, place)
                if other != place:
                    raise SourceError(f"{place} and {other.name} have one name: expected one file for each video")
                said[video] = rows.get(file, {})
        self.names = sorted(self._files, key=sort_key)
        columns = dict.fromkeys(column for row in said.values() for column in row)
        self.columns = {column: [said[video].get(column, "") for video in self.names] for column in columns}
        known, block = self._first(layout)
        self._layout = Layout(known.axes, layout.value_range)
        self.value_range = known.value_range
        self.notes = (*more_notes, *known.notes(self.name, block))

    def video(self, index: int) -> Video:
        """Return the video at a place of the listing, unopened."""
        name = self.names[index]
        return _ArrayFile(f"{self.name}, video {name}", self._files[name], self._layout)

    def _first(self, layout: Layout) -> tuple[KnownLayout, Block]:
        """Return the layout of the first file that can be read, and its array."""
        failure: SourceError | OSError | None = None
        for name in self.names:
            try:
                block = _only_array(self._files[name], layout)
            except (SourceError, OSError) as error:
                failure = failure or error
                continue
            return layout.of(str(self._files[name]), [block]), block
        assert failure is not None
        raise SourceError(
            f"{self.name}: none of its {counted(len(self.names), 'array file')} can be used: {failure}"
        ) from failure


class _ArrayFile:
    """One video in a file of its own."""

    def __init__(self, name: str, file: Path, layout: Layout) -> None:
        self._name, self._file, self._layout = name, file, layout

    @property
    def num_frames(self) -> int:
        return self._video.num_frames

    def frames(self, indices: Indices) -> Iterator[Frame]:
        return self._video.frames(indices)

    def content(self) -> str:
        return self._video.content()

    def state(self) -> str:
        try:
            return hashlib.sha256(file_state(self._file) + repr(self._layout).encode()).hexdigest()
        except OSError as error:
            raise VideoError(f"cannot be read: {cause(error)}") from error

    @cached_property
    def _video(self) -> ArrayVideo:
        """Open the file. Raises VideoError."""
        try:
            block = _only_array(self._file, self._layout)
            known = self._layout.of(str(self._file), [block])
        except SourceError as error:
            raise VideoError(str(error)) from error
        except OSError as error:
            raise VideoError(f"cannot be read: {cause(error)}") from error
        return ArrayVideo(self._name, block, known, 0 if "N" in known.axes else None)


def holds_arrays(files: Iterable[str]) -> bool:
    """Return whether a folder of these files is one of arrays: some are arrays, and none is a video, an image or a
    tar archive."""
    names = list(files)
    suffixes = set(map(suffix, names))
    others = suffixes & (VIDEO_SUFFIXES | IMAGE_SUFFIXES) or any(map(is_tar_name, names))
    return bool(suffixes & ARRAY_SUFFIXES) and not others


def _only_array(file: Path, layout: Layout) -> Block:
    """Return the array of the one video in a file. If it has an axis N, its length is 1. Raises SourceError,
    OSError."""
    file_state(file)  # refuses pipes and devices, which may block
    _, found = read_arrays(file, layout)
    if isinstance(found, Mapping) and file.suffix.lower() in HDF5_SUFFIXES and (sets := index_sets(file, found)):
        raise SourceError(
            f"{file} holds many videos, in the sets {', '.join(sets)}: expected one array of one video; pass {file}, "
            "which is a side of its own"
        )
    blocks = list(found.values()) if isinstance(found, Mapping) else [found]
    arrays = [block for block in blocks if len(block.shape) in (layout.many, layout.single)]
    many = len(arrays) == 1 and len(arrays[0].shape) == layout.many
    if len(arrays) != 1 or (many and arrays[0].shape[(layout.axes or "N").index("N")] != 1):
        shapes = ", ".join(str(list(block.shape)) for block in blocks[:5])
        axes = layout.axes or "THWC or others that are stated"
        raise SourceError(
            f"{file} holds {shapes or 'no array'}: expected one array of one video, of the axes {axes}; a file of many "
            "videos is a side of its own, so pass its path"
        )
    return arrays[0]
