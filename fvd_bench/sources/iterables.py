"""Videos of an iterable, which is iterated over once. They are kept in a temporary file without a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fvd_bench.errors import SourceError
from fvd_bench.plugins import running_user_code
from fvd_bench.sources.arrays import numbered
from fvd_bench.sources.scratch import Scratch
from fvd_bench.videos.array_layout import PLAIN, Block, Layout
from fvd_bench.videos.arrays import ArrayVideo, as_block, frames_digest
from fvd_bench.videos.video import Pixels, Video


class IterableVideos:
    """A side of what an iterable yields: arrays or tensors of one video each, or batches of them.

    The first item is read at once, the others when they are needed, after everything else was found to be in order.
    Memory holds one item at a time.
    """

    kind = "iterable"

    def __init__(self, name: str, videos: Iterable[object], layout: Layout) -> None:
        """Read the first item. Raises SourceError when there is none, or it cannot be used."""
        self.name = name
        self._layout = layout
        with running_user_code(f"{name}: making its iterator", raising=SourceError):
            self._items = iter(videos)
        first = self._next(0)
        if first is None:
            raise SourceError(f"{name} yields no video")
        self._first = first
        known = layout.of(f"{name}, video 0", [first])
        self._layout = Layout(known.axes, layout.value_range)  # holds for all: later videos may fit other orders too
        self.value_range = known.value_range
        self.notes = known.notes(f"{name}, video 0", first)

    @cached_property
    def names(self) -> list[str]:
        return numbered(len(self._videos))

    def video(self, index: int) -> Video:
        return self._videos[index]

    @cached_property
    def _videos(self) -> list[ArrayVideo]:
        """The videos, for which the rest of the iterable is read. Raises SourceError, naming the video that cannot
        be used."""
        scratch = Scratch(f"what {self.name} yields")
        kept: list[_Kept] = []
        block: Block | None = self._first
        del self._first
        while block is not None:
            for video in self._split(block, len(kept)):
                offset = scratch.size
                content = frames_digest(video.num_frames, _written(video, scratch))
                kept.append(_Kept(offset, video.shape, content))
            block = self._next(len(kept))
        if not kept:
            raise SourceError(f"{self.name} yields no video")
        return [place.video(f"{self.name}, video {n}", scratch) for n, place in enumerate(kept)]

    def _next(self, number: int) -> Block | None:
        """Return what the iterable yields next, or None at its end. number: the number of the first video in it."""
        with running_user_code(f"{self.name}: making video {number}", raising=SourceError):
            item = next(self._items, self)
        if item is self:
            return None
        block = as_block(item)
        if block is None:
            raise SourceError(
                f"{self.name}, video {number} is of type {type(item).__name__}: expected an array or tensor, uint8 "
                "[T, H, W, C] or in stated axes"
            )
        return block

    def _split(self, block: Block, number: int) -> Iterator[ArrayVideo]:
        name = f"{self.name}, video {number}"
        known = self._layout.of(name, [block])
        if "N" not in known.axes:
            yield ArrayVideo(name, block, known)
            return
        for index in range(block.shape[known.axes.index("N")]):
            yield ArrayVideo(f"{self.name}, video {number + index}", block, known, index)


class _Kept(NamedTuple):
    """Where a video is in the file.

    offset: where its bytes begin. shape: [T, H, W, C]. content: digest of its frames.
    """

    offset: int
    shape: tuple[int, ...]
    content: str

    def video(self, name: str, scratch: Scratch) -> ArrayVideo:
        block = scratch.array(self.offset, self.shape, np.dtype(np.uint8))
        return ArrayVideo(name, block, PLAIN, known_content=self.content)


def _written(video: ArrayVideo, scratch: Scratch) -> Iterator[Pixels]:
    """Yield the frames, each after it was written."""
    for frame in map(video.levels, range(video.num_frames)):
        scratch.append(frame.data)
        yield frame
