"""Videos that a function makes when they are read, for instance with a network. Nothing is written to disk."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path

from fvd_bench.errors import SourceError
from fvd_bench.plugins import imported, is_code, running_user_code
from fvd_bench.sources.arrays import numbered
from fvd_bench.videos.array_layout import Layout, ValueRange
from fvd_bench.videos.arrays import ArrayVideo, as_block
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame, Video


@dataclass(frozen=True, eq=False)
class GeneratorSource:
    """A side of an evaluation whose videos a function makes, one by one, whenever one is needed.

    function: takes an index and returns the video of that index, an array or tensor: uint8 [T, H, W, C], or as `axes`
        and `value_range` say. It must return the same video each time, so it has to seed its noise by the index. It is
        called by one thread at a time, and without gradients.
    videos: number of videos, from index 0 on.
    axes, value_range: see `Arrays`, for one video.
    identity: a text that names the generator and all of its settings, weights and seed included. With it the content
        digest of a video is known before the video is made, and features in a store are used. With None each video is
        made once more, for a digest of its frames, and one that differs from the first time is an error.
    name: the name of the side, for people.
    """

    function: Callable[[int], object]
    _: KW_ONLY
    videos: int = 2048
    axes: str | None = None
    value_range: ValueRange | None = None
    identity: str | None = None
    name: str = "generated videos"
    kind: str = field(default="generator function", init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _digests: dict[int, str] = field(default_factory=dict, init=False, repr=False)
    _known: list[Layout] = field(default_factory=list, init=False, repr=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises SourceError."""
        if self.videos < 1:
            raise SourceError(f"videos = {self.videos}: expected at least 1")
        if "N" in (self.axes or ""):
            raise SourceError(f"axes = {self.axes!r}: expected those of one video, such as TCHW")
        Layout(self.axes, self.value_range)

    @cached_property
    def names(self) -> list[str]:
        return numbered(self.videos)

    @property
    def notes(self) -> list[str]:
        """What was inferred from the first video, once it was made."""
        return self._notes

    def video(self, index: int) -> Video:
        """Return the video at a place of the listing. Nothing is made yet."""
        return _Made(self, index)

    def make(self, index: int) -> ArrayVideo:
        """Call the function. Raises SourceError when that fails, or returns anything but a video."""
        name = f"{self.name}, video {index}"
        with self._lock:  # held until the frames are copied: the function may use one buffer for all videos
            with _no_gradients(), running_user_code(f"{self.name}: making video {index}", raising=SourceError):
                block = as_block(made := self.function(index))
            if block is None:
                raise SourceError(
                    f"{name} is of type {type(made).__name__}: expected an array or tensor, uint8 [T, H, W, C] or in "
                    "stated axes"
                )
            known = (self._known or [Layout(self.axes, self.value_range)])[0].of(name, [block])
            if "N" in known.axes:
                raise SourceError(f"{name} has the shape {list(block.shape)}: expected one video, [T, H, W, C]")
            if not self._known:
                self._known.append(Layout(known.axes, self.value_range))
                self._notes.extend(known.notes(name, block))
            return ArrayVideo(name, block, known).copied()

    def digest(self, index: int) -> str:
        """Return what identifies a video: a digest of what it is made by, or of its frames."""
        if self.identity is not None:
            return hashlib.sha256(f"{self.identity}\0{self.axes}\0{self.value_range}\0{index}".encode()).hexdigest()
        if index not in self._digests:
            self._digests[index] = self.make(index).content()
        return self._digests[index]

    def check_same(self, index: int, video: ArrayVideo) -> None:
        """Raise SourceError when a video is not the one that its digest was computed from."""
        if self.identity is None and self._digests.setdefault(index, digest := video.content()) != digest:
            raise SourceError(
                f"{self.name}: video {index} is another one each time that it is made: seed its noise by the index "
                "(torch.Generator().manual_seed(index)); if it differs by rounding alone, name what makes it with "
                "identity=…; or pass an iterable, which is gone through once"
            )


class _Made:
    """One video, made when its first frame is asked for, and kept as long as this object."""

    def __init__(self, source: GeneratorSource, index: int) -> None:
        self._source = source
        self._index = index

    @property
    def num_frames(self) -> int:
        return self._video.num_frames

    def frames(self, indices: Indices) -> Iterator[Frame]:
        return self._video.frames(indices)

    def content(self) -> str:
        return self._source.digest(self._index)

    def state(self) -> str:
        return self._source.digest(self._index)

    @cached_property
    def _video(self) -> ArrayVideo:
        video = self._source.make(self._index)
        self._source.check_same(self._index, video)
        return video


@contextlib.contextmanager
def _no_gradients() -> Iterator[None]:
    """Turn gradients off. Torch keeps this setting per thread, so the caller's own setting does not reach this one."""
    torch = sys.modules.get("torch")
    with contextlib.nullcontext() if torch is None else torch.no_grad():
        yield


def is_function_name(text: str) -> bool:
    """Return whether a text is module:function, and not the path of a file."""
    return is_code(text) and not Path(text).exists()


def find_function(name: str) -> Callable[[], object]:
    """Import module:function, also from the working directory. Raises SourceError."""
    function = imported(name, raising=SourceError)
    if not callable(function):
        module, _, attribute = name.partition(":")
        raise SourceError(
            f"{name}: {module} has no function {attribute}: expected one that takes nothing and returns videos"
        )
    return function
