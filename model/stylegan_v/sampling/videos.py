"""Generated videos as one side of an evaluation.

Scores: `fvd_bench.evaluate(real, GeneratedVideos(…), protocol="stylegan-v-fvd16")` passes the frames through JPEG of
quality 95, as the paper does; "stylegan-v-fvd16-code-direct" scores them as they are, as its code does in training.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ShortVideoError
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame
from fvd_bench.words import counted
from stylegan_v.errors import ConfigError
from stylegan_v.memory import check_memory
from stylegan_v.networks.video_generator import VideoGenerator
from stylegan_v.sampling.sampler import Label, VideoSampler


@dataclass(frozen=True, eq=False)
class GeneratedVideos:
    """Videos that are generated when they are read: one side for `fvd_bench.evaluate`, a `ClipSource` by its shape.

    videos: how many there are, numbered from `first` on. frames: number of frames of each.
    labels: one per video, None to draw them. digest: that of the network, see `generator_digest`; None to compute it.
    The other arguments are those of `VideoSampler`.
    """

    generator: VideoGenerator
    _: KW_ONLY
    videos: int
    frames: int
    seed: int = 0
    first: int = 0
    start: float = 0.0
    fps: float | None = None
    train_fps: float = 25.0
    truncation: float = 1.0
    labels: Sequence[Label] | NDArray[np.float32] | None = None
    batch_frames: int = 16
    digest: str | None = None
    name: str = "generated videos"

    def __post_init__(self) -> None:
        if self.videos < 1 or self.frames < 1 or self.first < 0:
            raise ConfigError(
                f"videos = {self.videos}, frames = {self.frames}, first = {self.first}: expected at least 1, 1 and 0"
            )
        if self.labels is not None and len(self.labels) != self.videos:
            raise ConfigError(
                f"{counted(len(self.labels), 'label', 'are')} given for {counted(self.videos, 'video')}: expected one "
                "each"
            )
        sampler = self.sampler
        sampler.check(self.frames)
        sampler.check_numbers(self.first, self.videos)
        check_memory(f"videos = {self.videos}", self.videos * sys.getsizeof(video_name(0)))  # of their names
        for label in () if self.labels is None else self.labels:
            sampler.label(0, label)

    @property
    def kind(self) -> str:
        """What the videos are, for reports."""
        return f"{self.generator.config.method} generator"

    @cached_property
    def sampler(self) -> VideoSampler:
        """The sampler that makes the frames."""
        return VideoSampler(
            self.generator,
            seed=self.seed,
            start=self.start,
            fps=self.fps,
            train_fps=self.train_fps,
            truncation=self.truncation,
            batch_frames=self.batch_frames,
            weights_digest=self.digest,
        )

    @cached_property
    def names(self) -> Sequence[str]:
        return [video_name(self.first + index) for index in range(self.videos)]

    @property
    def notes(self) -> Sequence[str]:
        notes = []
        if self.truncation != 1.0:
            notes.append(f"{self.name}: made with truncation {self.truncation:g}")
        if self.labels is None and self.generator.config.num_classes:
            notes.append(f"{self.name}: classes are drawn uniformly, however frequent they are among real videos")
        if (rate := self.sampler.rate) != self.train_fps:
            notes.append(f"{self.name}: made with {rate:g} frames per second; training videos have {self.train_fps:g}")
        return notes

    def video(self, index: int) -> GeneratedVideo:
        """Return the video at a place of the listing, without generating anything yet."""
        label = None if self.labels is None else self.labels[index]
        return GeneratedVideo(self.sampler, self.first + index, self.frames, label)


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedVideo:
    """One video, generated as it is read: a `Video` of `fvd_bench.videos` by its shape.

    number: its number in the sampler.
    """

    sampler: VideoSampler
    number: int
    num_frames: int
    label: Label | None = None

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield frames of ascending, distinct indices. Raises ShortVideoError where there are fewer, and ModelError."""
        if int(indices[-1]) >= self.num_frames:
            raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
        for pixels in self.sampler.frames(self.number, indices.tolist(), label=self.label):
            yield Frame(pixels)

    def content(self) -> str:
        """Return the sha256 of everything that the frames are made from."""
        label = self.sampler.label(self.number, self.label)
        parts = {
            **self.sampler.identity(),
            "video": self.number,
            "frames": self.num_frames,
            "label": None if label is None else label[0].tolist(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def state(self) -> str:
        """Return the same as `content`, since nothing cheaper tells when a video changes."""
        return self.content()


def video_name(number: int) -> str:
    """Return the name of video `number` in listings and on disk. Names of six digits sort as their numbers do."""
    return f"{number:06d}"
