"""What a side of a comparison is to everything that works with its videos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from fvd_bench.videos.array_layout import ValueRange
from fvd_bench.videos.files import sort_key
from fvd_bench.videos.video import Video


class ClipSource(Protocol):
    """What the pipeline needs to know about a side. Any object with these members can be one, a generator for instance.

    name: how the side is shown to people.
    kind: the form of the side.
    names: the names of its videos, in the order of their indices.
    notes: findings of the listing, each a sentence.

    Videos are read from several threads at once, and more than once each. A source that cannot do that, because its
    videos share a network for instance, has to lock. Videos are asked for frames after their end too, and must then
    raise ShortVideoError.

    A side may have more members: `columns`, `value_range` and `most_frames`, which the functions below read.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...

    def video(self, index: int) -> Video:
        """Return the video at a place of the listing, unopened."""


def columns_of(source: object) -> Mapping[str, Sequence[str]]:
    """Return what a list says of its videos: for each column its entries, in the order of the videos. Other sides have
    no columns."""
    found: Mapping[str, Sequence[str]] = getattr(source, "columns", {})
    return found


def value_range_of(source: object) -> ValueRange | None:
    """Return the values of black and white that were stated for arrays of floats, None where none were."""
    found: ValueRange | None = getattr(source, "value_range", None)
    return found


def most_frames_of(source: object) -> int | None:
    """Return the most frames that any video of a side has, None where that is not known."""
    found: int | None = getattr(source, "most_frames", None)
    return found


def fingerprint(names: Iterable[str], contents: Iterable[str]) -> str:
    """Return the sha256 over the names (without suffix) and contents of all videos of a side, in order."""
    whole = hashlib.sha256()
    for name, content in zip(names, contents, strict=True):
        whole.update(sort_key(name)[0] + b"\0" + content.encode() + b"\0")
    return whole.hexdigest()
