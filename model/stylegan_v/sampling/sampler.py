"""Sampling: any frame of any video that a generator can make, alone.

Video i of a seed has a content code, motion noise and a label that depend on the seed and i alone. Frame j shows the
time `start` + j · train_fps / fps, in frames of the training videos. Frames are rendered in chunks that begin at
multiples of `batch_frames`, and chunks are always whole, since networks may round differently in batches of another
size. So a frame has the same bytes whichever frames and videos are asked for, in any order. Another `batch_frames` may
move single values by 1.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fvd_bench.networks.weights.files import tensor_digest
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Pixels
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.memory import check_memory, frame_bytes
from stylegan_v.networks.noise import Purpose, uniform
from stylegan_v.networks.pixels import to_uint8
from stylegan_v.networks.video_generator import Clip, Draw, VideoGenerator

_KEPT_GROUPS = 2
"""Several threads may be at the end of a group and at the beginning of the next one."""

_END_OF_TIME = 2**32
"""In frames: tokens of noise have so many numbers, and may lie a frame apart (noise.py)."""

_END_OF_VIDEOS = 2**32
"""Videos are numbered below this."""

_EDITION = 2
"""A number that is raised when the same settings give other frames. Edition 2 computes motion in float64."""

Label = int | np.integer[Any] | Sequence[float] | NDArray[np.float32]
"""A class, or a label vector of as many numbers as there are classes."""


@dataclass(frozen=True, eq=False)
class VideoSampler:
    """A generator, and everything else that its frames depend on. The network must not change while it is sampled.

    fps: frames per second of generated videos, None for train_fps, that of the training videos. More frames make motion
    smoother, not faster.
    start: time of the first frame, in frames of the training videos. truncation: ψ, 1 for none.
    batch_frames: number of frames rendered at a time, which bounds memory.
    weights_digest: what `generator_digest` returned, None to compute it.

    Several threads may sample; one at a time uses the network. On CUDA, sample and evaluate within one
    `fvd_bench.networks.arithmetic.float32_arithmetic("float32")`. Otherwise it depends on what other threads do at the
    time whether products are rounded to TF32. Raises ConfigError.
    """

    generator: VideoGenerator
    _: KW_ONLY
    seed: int = 0
    start: float = 0.0
    fps: float | None = None
    train_fps: float = 25.0
    truncation: float = 1.0
    batch_frames: int = 16
    weights_digest: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _groups: dict[tuple[int, int | None], Sequence[Clip]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("fps", self.rate), ("train_fps", self.train_fps)):
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} = {value}: expected frames per second, more than 0")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ConfigError(f"start = {self.start}: expected a time in frames, from 0 on")
        if not math.isfinite(self.truncation):
            raise ConfigError(f"truncation = {self.truncation}: expected a number, 1 for none")
        if self.truncation != 1.0 and not self.generator.truncates:
            raise ConfigError(f"truncation = {self.truncation:g}: {self._method} has none, so it is 1")
        if not self.generator.continuous and not (
            self.start.is_integer() and (self.train_fps / self.rate).is_integer()
        ):
            raise ConfigError(
                f"fps = {self.rate:g}, start = {self.start:g}: {self._method} makes frames at whole times of its "
                f"training videos alone, so fps divides {self.train_fps:g} and start is whole"
            )
        if self.batch_frames < 1:
            raise ConfigError(f"batch_frames = {self.batch_frames}: expected at least 1")
        check_memory(
            f"batch_frames = {self.batch_frames}", self.batch_frames * frame_bytes(self.generator.config.resolution)
        )

    @property
    def rate(self) -> float:
        """Frames per second of generated videos."""
        return self.train_fps if self.fps is None else self.fps

    @property
    def device(self) -> torch.device:
        """The device that the generator is on."""
        return next(self.generator.parameters()).device

    def times(self, places: Indices) -> NDArray[np.float64]:
        """Return the times of frames, in frames of the training videos."""
        # This order of operations is exact wherever the quotient is.
        return self.start + places.astype(np.float64) * self.train_fps / self.rate

    def check(self, frames: int, *, motion_of: int | None = None) -> None:
        """Raise ConfigError where the generator has no videos of so many frames, or none with another's motion."""
        longest, last = self.generator.longest, float(self.times(np.array([frames - 1]))[0])
        if longest is not None and last > longest - 1:
            raise ConfigError(
                f"{self._method} makes videos of at most {longest} frames; asked for are frames up to {last + 1:g}"
            )
        if last >= _END_OF_TIME:
            raise ConfigError(
                f"asked for is the time of frame {last:g}; times end before 2^32 frames, 5 years at 25 fps"
            )
        if motion_of is not None and not self.generator.separate:
            raise ConfigError(f"{self._method} draws content and motion in one, so no video takes another's motion")

    @staticmethod
    def check_numbers(first: int, videos: int) -> None:
        """Raise ConfigError where there are not so many videos from this one on."""
        if not 0 <= first <= first + videos <= _END_OF_VIDEOS:
            raise ConfigError(f"asked for are {videos} videos from number {first} on; numbers end before 2^32")

    def label(self, video: int, given: Label | None = None) -> Tensor | None:
        """Return the label of a video: [1, num_classes], None without classes.

        given: its class or label vector, None for a class that is drawn uniformly.
        """
        classes = self.generator.config.num_classes
        if given is None:
            given = int(uniform(self.seed, Purpose.LABEL, torch.tensor(video), 0, 1) * classes) if classes else []
        if isinstance(given, int | np.integer):
            if not 0 <= given < classes:
                known = f"classes 0 to {classes - 1}" if classes else "no classes"
                raise ConfigError(f"class {given} is asked for; the model has {known}")
            given = [float(place == given) for place in range(classes)]
        if len(given) != classes:
            raise ConfigError(f"a label of {len(given)} numbers is given; the model's have {classes}")
        return torch.tensor([list(given)], dtype=torch.float32, device=self.device) if classes else None

    def frames(
        self, video: int, places: Iterable[int], *, label: Label | None = None, motion_of: int | None = None
    ) -> Iterator[Pixels]:
        """Yield frames of a video, one after the other: uint8 [R, R, 3] each.

        places: the numbers of the frames. label: its class or label vector, drawn unless given.
        motion_of: number of the video whose motion it takes, with that video's label unless one is given; None for its
        own.
        Raises ConfigError, ModelError.
        """
        self.check(1, motion_of=motion_of)
        longest = self.generator.longest
        with self._lock, torch.inference_mode():
            clip = self._open(video, label, motion_of)
        for chunk, inside in itertools.groupby(places, lambda place: place // self.batch_frames):
            begin = chunk * self.batch_frames
            times = self.times(np.arange(begin, begin + self.batch_frames))
            if longest is not None:
                times = times.clip(max=longest - 1)
            with self._lock, torch.inference_mode():
                rendered = clip(torch.tensor(times, device=self.device))  # float64, in which late motion is exact
                if not torch.isfinite(rendered).all():
                    raise ModelError(
                        f"video {video}: the generator gives values that are not finite; its training has diverged, "
                        "or float16 does not suffice: take an earlier checkpoint or float32"
                    )
                pixels = to_uint8(rendered).permute(0, 2, 3, 1).contiguous().cpu().numpy()
            for place in inside:
                self.check(place + 1)
                yield pixels[place - begin]

    def _open(self, video: int, label: Label | None, motion_of: int | None) -> Clip:
        """Return a video as a function of times. Of those that are opened in groups, the last two groups are kept.

        Methods that make several at a time have no labels.
        """
        size = self.generator.at_a_time
        group, row = divmod(video, size)
        if (kept := self._groups.get((group, motion_of))) is not None:
            return kept[row]
        videos = range(group * size, (group + 1) * size)
        moving = videos if motion_of is None else [motion_of] * size
        clips = self.generator.open(
            Draw(
                self.seed,
                torch.tensor(videos, device=self.device),
                torch.tensor(moving, device=self.device),
                labels=self._labels(videos, label),
                motion_labels=self._labels(moving, label),
                truncation=self.truncation,
            )
        )
        if size > 1:
            self._groups[group, motion_of] = clips
            if len(self._groups) > _KEPT_GROUPS:
                del self._groups[next(iter(self._groups))]
        return clips[row]

    def _labels(self, videos: Iterable[int], given: Label | None) -> Tensor | None:
        labels = [label for video in videos if (label := self.label(video, given)) is not None]
        return torch.cat(labels) if labels else None

    @cached_property
    def digest(self) -> str:
        """The identity of the network."""
        return self.weights_digest or generator_digest(self.generator)

    def identity(self) -> dict[str, Any]:
        """Return plain values of all that reaches the frames of a video, besides its number and label."""
        half = self.generator.half_dtype
        return {
            "generator": self.digest,
            "device": self.device.type,
            "precision": "float32" if half is None else str(half).removeprefix("torch."),
            "seed": self.seed,
            "start": float(self.start),
            "fps": float(self.rate),
            "train_fps": float(self.train_fps),
            "truncation": float(self.truncation),
            "batch_frames": self.batch_frames,
            "edition": _EDITION,
        }

    @property
    def _method(self) -> str:
        return self.generator.config.method


def generator_digest(generator: VideoGenerator) -> str:
    """Return the sha256 of a generator's config and tensors, which is the same on every device."""
    tensors = {name: tensor.float().cpu().numpy() for name, tensor in generator.state_dict().items()}
    config = json.dumps(generator.config.as_dict(), sort_keys=True)
    return hashlib.sha256(f"{config}\0{tensor_digest(tensors)}".encode()).hexdigest()
