"""Arrays as a side: many videos along an axis of one array, or many arrays of one video each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fvd_bench.errors import SourceError
from fvd_bench.videos.array_layout import Block, Layout, ValueRange, described
from fvd_bench.videos.arrays import ArrayVideo
from fvd_bench.videos.files import sort_key
from fvd_bench.videos.video import Video


@dataclass(frozen=True, eq=False)
class ArrayVideos:
    """A side of videos in arrays. value_range: the range that is stated for floats, None for uint8."""

    name: str
    kind: str
    names: tuple[str, ...]
    videos: tuple[ArrayVideo, ...]
    notes: tuple[str, ...]
    value_range: ValueRange | None

    @classmethod
    def of_one(
        cls, name: str, kind: str, block: Block, layout: Layout, *, stamp: Callable[[], bytes] | None
    ) -> ArrayVideos:
        """Make a side of the videos along the axis N of one array. Raises SourceError.

        stamp: see `ArrayVideo`.
        """
        known = layout.of(name, [block])
        if "N" not in known.axes:
            raise SourceError(
                f"{name}: {described(block)} is one video: expected many, an array of five axes such as NTHWC or "
                "several arrays of four"
            )
        names = tuple(numbered(block.shape[known.axes.index("N")]))
        if not names:
            raise SourceError(f"{name} holds no video: {described(block)}")
        videos = tuple(ArrayVideo(f"{name}, video {n}", block, known, i, stamp) for i, n in enumerate(names))
        return cls(name, kind, names, videos, known.notes(name, block), known.value_range)

    @classmethod
    def of_many(
        cls,
        name: str,
        kind: str,
        blocks: Mapping[str, Block],
        layout: Layout,
        *,
        stamp: Callable[[str], Callable[[], bytes]] | None,
    ) -> ArrayVideos:
        """Make a side of one video per array, in the order of files with these names. Raises SourceError.

        stamp: returns the stamp of the array of a name, see `ArrayVideo`. None for arrays in memory.
        """
        names = tuple(sorted(blocks, key=sort_key))
        listed = [blocks[n] for n in names]
        if not listed:
            raise SourceError(f"{name} holds no video: expected arrays of four axes")
        known = layout.of(name, listed)
        if "N" in known.axes:
            raise SourceError(f"{name}: {described(listed[0])}: expected arrays of one video each, of four axes")
        videos = tuple(
            ArrayVideo(f"{name}, video {n}", block, known, stamp=stamp(n) if stamp else None)
            for n, block in zip(names, listed, strict=True)
        )
        return cls(name, kind, names, videos, known.notes(name, listed[0]), known.value_range)

    def video(self, index: int) -> Video:
        return self.videos[index]


def numbered(videos: int) -> list[str]:
    """Return names for videos that have none. Names of six digits sort as their numbers do."""
    return [f"{number:06d}" for number in range(videos)]
