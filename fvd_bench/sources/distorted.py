"""A side whose videos are those of another side, distorted while they are read. Nothing is written to disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fvd_bench.errors import ShortVideoError
from fvd_bench.sources.clip_source import ClipSource
from fvd_bench.videos.distortion import STRENGTHS, Distortion, Key
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame, Video

_VERSION = 1
"""The version of the distortions' arithmetic. With another number, stored features are made anew."""


@dataclass(frozen=True)
class DistortedSource:
    """The videos of a side, with one distortion of one strength.

    strength: 1 to 3; 0 leaves the videos as they are. seed: of what is random in the distortion.
    """

    source: ClipSource
    distortion: Distortion
    strength: int
    seed: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.strength <= len(STRENGTHS)

    @property
    def name(self) -> str:
        return f"{self.source.name}, {self.distortion.name} {self.strength}"

    @property
    def kind(self) -> str:
        return f"{self.source.kind}, distorted"

    @property
    def names(self) -> Sequence[str]:
        return self.source.names

    @property
    def notes(self) -> Sequence[str]:
        return ()

    def video(self, index: int) -> Video:
        """Return the distorted video at a place of the listing, or the video itself where nothing is to be done."""
        video, amount = self.source.video(index), self._amount(index)
        return video if amount is None else DistortedVideo(video, self.distortion, amount, self.seed)

    def _amount(self, index: int) -> float | None:
        """Return the amount for a video. A part of the videos is spread evenly over the listing."""
        if self.strength == 0:
            return None
        amount = self.distortion.amounts[self.strength - 1]
        if not self.distortion.of_videos:
            return amount
        return 1 if int((index + 1) * amount) > int(index * amount) else None


class DistortedVideo:
    """A video with one distortion. Its features are kept under a digest of the original and the distortion."""

    def __init__(self, video: Video, distortion: Distortion, amount: float, seed: int) -> None:
        self._original = video
        self._distortion = distortion
        self._amount = amount
        self._seed = seed

    @property
    def num_frames(self) -> int:
        return self._distortion.length(self._length, self._amount)

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices. Raises as `Video.frames` does."""
        distortion = self._distortion
        if distortion.pixels is not None:
            for index, frame in zip(indices.tolist(), self._original.frames(indices), strict=True):
                yield replace(frame, pixels=distortion.pixels(frame.pixels, index, self._amount, self._key))
        elif distortion.order is not None:
            if int(indices[-1]) >= self.num_frames:
                raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
            yield from self._reordered(distortion.order(indices, self._length, self._amount, self._key))

    def content(self) -> str:
        return self._with_distortion(self._content)

    def state(self) -> str:
        return self._with_distortion(self._original.state())

    def _reordered(self, shown: Indices) -> Iterator[Frame]:
        """Yield frames of the original in any order, in one pass over it, and hold none that is not needed again."""
        last = {index: place for place, index in enumerate(shown.tolist())}
        read = zip(sorted(last), self._original.frames(np.unique(shown)), strict=True)
        held: dict[int, Frame] = {}
        for place, index in enumerate(shown.tolist()):
            while index not in held:
                number, frame = next(read)
                held[number] = replace(frame, time=None)  # that of another place
            yield held[index] if last[index] > place else held.pop(index)

    @cached_property
    def _length(self) -> int:
        return self._original.num_frames

    @cached_property
    def _content(self) -> str:
        return self._original.content()

    @property
    def _key(self) -> Key:
        return self._seed, int(self._content[:16], 16)

    def _with_distortion(self, text: str) -> str:
        how = repr((self._distortion.name, _VERSION, float(self._amount), self._seed))
        return hashlib.sha256(f"{how}\0{text}".encode()).hexdigest()
