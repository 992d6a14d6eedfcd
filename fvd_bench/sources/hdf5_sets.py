"""Sets of videos as in VideoGPT's HDF5 files: one array with all frames of a set, and one that says where videos begin.

For a set `train`, the array `train_data`, [frames, H, W, C] or in another order, holds all frames. `train_idx` holds
the number of the first frame of each video. A video ends where the next one begins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError
from fvd_bench.sources.arrays import ArrayVideos, numbered
from fvd_bench.videos.array_layout import Block, Layout
from fvd_bench.videos.arrays import file_stamp
from fvd_bench.words import agreeing, counted

_FRAMES, _STARTS = "_data", "_idx"


@dataclass(frozen=True, eq=False)
class IndexSet:
    """One set in a file.

    file: the path of the file.
    name: the name of the set.
    frames: the frames of all its videos.
    starts: int64 [N + 1], the first frame of each video, and the end of the last.
    """

    file: Path
    name: str
    frames: Block
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, file: Path, name: str, frames: Block, starts: Block) -> IndexSet:
        """Make a set of two arrays. Raises SourceError when `starts` cannot be the index of these frames."""
        end, is_index = frames.shape[0], starts.dtype.kind in "iu" and 0 < starts.shape[0] <= frames.shape[0] + 1
        values = starts[(slice(None),)] if is_index else np.zeros(0)
        if not is_index or values[0] < 0 or values[-1] > end or (np.diff(values.astype(np.int64)) <= 0).any():
            raise SourceError(
                f"{file}: {name}{_STARTS} is no list of first frames: expected rising whole numbers from 0 to {end}, "
                f"the number of frames in {name}{_FRAMES}"
            )
        return cls(file, name, frames, np.unique(np.append(values.astype(np.int64), end)))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def open(self, name: str, layout: Layout, *, others: Mapping[str, IndexSet]) -> ArrayVideos:
        """Make a side of the videos of the set. Raises SourceError.

        name: the name of the side. others: all sets in the file.
        """
        spans = {
            number: _Span(self.frames, int(start), int(end))
            for number, start, end in zip(numbered(len(self)), self.starts, self.starts[1:], strict=False)
        }
        found = ArrayVideos.of_many(
            name, "HDF5 file", spans, layout, stamp=lambda number: file_stamp(self.file, f"{self.name}/{number}")
        )
        if found.videos[0].layout.axes[0] != "T":
            raise SourceError(
                f"{name}: its axes are taken for {found.videos[0].layout.axes}, and the frames of a set follow each "
                "other along the first axis: state axes that begin with T"
            )
        notes = [f"{name}: the {counted(len(self), 'video')} of {self.name}{_STARTS} {agreeing(len(self), 'are')} used"]
        notes += [
            f"the {len(s)} of {s.name}{_STARTS} {agreeing(len(s), 'are')} left out"
            for s in others.values()
            if s is not self
        ]
        if before := int(self.starts[0]):
            notes.append(f"{counted(before, 'frame')} before the first video {agreeing(before, 'are')} left out")
        return dataclasses.replace(found, notes=(*found.notes, ", ".join(notes)))


class _Span:
    """A range of the frames of a set, as `arrays.Block`."""

    def __init__(self, frames: Block, start: int, end: int) -> None:
        self._frames, self._start = frames, start
        self.shape = (end - start, *frames.shape[1:])
        self.dtype: np.dtype[Any] = frames.dtype

    def __getitem__(self, place: tuple[int | slice, ...], /) -> NDArray[Any]:
        frame, *within = place
        assert isinstance(frame, int)  # a video reads its frames one by one
        return self._frames[(self._start + frame, *within)]


def is_index(name: str, axes: int) -> bool:
    """Return whether an array with this name and number of axes may hold the first frames of a set."""
    return axes == 1 and name.endswith(_STARTS)


def index_sets(file: Path, blocks: Mapping[str, Block]) -> dict[str, IndexSet]:
    """Return the sets among the arrays in a file, by name. Raises SourceError."""
    found: dict[str, IndexSet] = {}
    for key in sorted(blocks):
        name = key.removesuffix(_FRAMES)
        starts = blocks.get(name + _STARTS)
        if name != key and starts is not None and len(starts.shape) == 1:
            found[name] = IndexSet.of(file, name, blocks[key], starts)
    return found
