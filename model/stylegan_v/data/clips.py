"""Training clips: k frames of a real video with their times.

Every draw is addressed by the number of a training sample: what is drawn depends on the seed and that number, not on
threads, processes, batches, or what was drawn before. Real samples go through the videos in epochs, in an order that is
shuffled anew in each epoch. A long video is as likely as a short one.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fvd_bench.errors import VideoError
from fvd_bench.progress import Progress, silent
from fvd_bench.sources.opening import ClipSource, open_source
from fvd_bench.videos.files import bare_name
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Pixels, Video, read_clips
from fvd_bench.words import counted
from stylegan_v.data.labels import Labels, label_vectors, read_labels
from stylegan_v.data.prefetch import Stop, run_ahead
from stylegan_v.data.times import ClipRule, ClipTimes, Spans
from stylegan_v.errors import DataError

_ORDER = 101
"""The second number of the key with which the order of videos is drawn."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class RealClip:
    """Frames of a real video.

    frames: uint8 [T, H, W, 3]. times: int64 [T]. label: float32 [num_classes]. name: that of the video.
    """

    frames: Pixels
    times: NDArray[np.int64]
    label: Labels
    name: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of real clips. frames: uint8 [B, T, 3, H, W]; times: float64 [B, T]; labels: float32 [B, num_classes]."""

    frames: Tensor
    times: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on another device, without waiting for that device."""
        return Batch(sent(self.frames, device), sent(self.times, device), sent(self.labels, device))


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Send a tensor to a device. A GPU copies from pinned memory while the CPU goes on."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class VideoDataset:
    """The videos of a set that training can use, and the clips that are drawn from them.

    names, lengths: of these videos. skipped: (name, reason) of each of the others. notes: sentences about the set.
    num_videos: how many videos clips are drawn from; with `mirror` twice as many, each video and its mirror image.
    times: draws which frames make a clip.
    """

    def __init__(
        self,
        source: ClipSource,
        lengths: dict[int, int],
        skipped: Sequence[tuple[str, str]],
        labels: Labels,
        videos: dict[int, Video],
        *,
        resolution: int,
        rule: ClipRule,
        mirror: bool,
    ) -> None:
        """lengths, videos: place in the source -> of videos that can be used. labels: theirs, in the same order."""
        self.resolution = resolution
        self.names = tuple(source.names[place] for place in lengths)
        self.lengths = tuple(lengths.values())
        self.skipped = tuple(skipped)
        self.times = ClipTimes(self.lengths, rule)
        self.labels = labels
        self.mirror = mirror
        self.num_videos = len(self.names) * (2 if mirror else 1)
        self.notes = tuple(source.notes)
        if any(_is_file(name) for name in self.names):
            self.notes += (
                f"{source.name} holds video files, and of these every clip is decoded anew: "
                f"training is faster on folders of frames (stylegan-v data {source.name} OUT "
                f"--resolution {resolution})",
            )
        self._source = source
        self._places = tuple(lengths)
        self._videos = videos

    def digest(self) -> str:
        """Return the sha256 of the names and lengths of the videos, on which it depends what is drawn."""
        return hashlib.sha256(json.dumps([self.names, self.lengths]).encode()).hexdigest()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        resolution: int,
        frames: int,
        max_frames: int = 1024,
        max_span: int = 32,
        spans: Spans = "powers",
        stride: int = 1,
        mirror: bool = False,
        num_classes: int = 0,
        workers: int = 4,
        progress: Progress = silent,
    ) -> VideoDataset:
        """List a set, and look at the size and length of each video. Raises DataError, SourceError.

        resolution, num_classes: as in `ModelConfig`. frames, max_frames, max_span, spans, stride: as in `ClipRule`.
        mirror: whether to add all videos mirrored. workers: number of threads that look at videos.
        The length of a video file is counted by decoding it. Of a frame folder the first image is looked at, the others
        only when they are drawn.
        """
        source = open_source(path)
        rule = ClipRule(frames=frames, max_frames=max_frames, max_span=max_span, spans=spans, stride=stride)
        lengths: dict[int, int] = {}
        videos: dict[int, Video] = {}
        skipped: list[tuple[str, str]] = []
        wrong_size = too_short = False
        total = len(source.names)
        look_at = partial(_look, source, resolution, rule.needed)
        with closing(run_ahead(range(total), look_at, workers=workers, ahead=256)) as looks:
            for place, look in enumerate(looks):
                progress("videos looked at", place + 1, total)
                if isinstance(look, VideoError):
                    skipped.append((source.names[place], str(look)))
                    wrong_size |= isinstance(look, _WrongSizeError)
                    too_short |= isinstance(look, _TooShortError)
                else:
                    lengths[place], videos[place] = look
        if not lengths:
            needed = rule.needed if too_short else None
            raise DataError(_none_left(source, resolution, skipped, prepare=wrong_size, needed=needed))
        found = read_labels(Path(path), source.names) if num_classes else {}
        labels = label_vectors(found, [source.names[place] for place in lengths], num_classes)
        return cls(source, lengths, skipped, labels, videos, resolution=resolution, rule=rule, mirror=mirror)

    def real_clips(self, samples: Sequence[int], *, seed: int) -> Iterator[RealClip]:
        """Yield the real clips of training samples, one after another.

        Raises DataError when a video can no longer be read.
        """
        items, flips = self.turns(samples, seed=seed)
        frames, times = self.times.real(seed, torch.tensor(samples), torch.from_numpy(items))
        for item, flip, places, clip_times in zip(items.tolist(), flips, frames.numpy(), times.numpy(), strict=True):
            pixels = self.frames(item, places)
            if flip:
                pixels = np.ascontiguousarray(pixels[:, :, ::-1])
            yield RealClip(pixels, clip_times, self.labels[item], self.names[item])

    def turns(self, samples: Sequence[int], *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return whose turn it is: places of videos in `names`, and whether these are mirrored, [B] each."""
        turns = (divmod(sample, self.num_videos) for sample in samples)
        drawn = np.array([_order(seed, epoch, self.num_videos)[turn] for epoch, turn in turns], np.int64)
        flips, items = np.divmod(drawn, len(self.names))
        return items, flips.astype(np.bool_)

    def frames(self, item: int, places: Indices) -> Pixels:
        """Return frames of the video at a place of `names`: uint8 [T, H, W, 3]. places: ascending. Raises DataError."""
        name = self.names[item]
        distinct, back = np.unique(places, return_inverse=True)
        try:
            frames = _frames(self._videos[self._places[item]], distinct)
            _check_size(frames, self.resolution)
        except VideoError as error:
            raise DataError(
                f"{self._source.name}: video {name} could be used when it was listed, but not any more: {error}; "
                "restore it, or remove it and start again from the last checkpoint"
            ) from error
        return frames if len(distinct) == len(places) else frames[back]


def batches(
    dataset: VideoDataset, samples: Iterable[Sequence[int]], *, seed: int, workers: int
) -> Generator[Batch, None, None]:
    """Yield the batches of real clips for these samples, in order. Threads read `workers` batches ahead.

    samples: the numbers in each batch, without end if need be. Raises DataError at the place of the clip.
    """
    return run_ahead(samples, partial(_batch, dataset, seed), workers=workers, ahead=workers)


def _batch(dataset: VideoDataset, seed: int, samples: Sequence[int], stop: Stop) -> Batch:
    """Read a batch. It runs in a thread."""
    clips: list[RealClip] = []
    for clip in dataset.real_clips(samples, seed=seed):
        stop.check()
        clips.append(clip)
    frames = np.stack([clip.frames for clip in clips])  # [B, T, H, W, 3]
    return Batch(
        torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3))),
        torch.from_numpy(np.stack([clip.times for clip in clips]).astype(np.float64)),
        torch.from_numpy(np.stack([clip.label for clip in clips])),
    )


@functools.lru_cache(maxsize=4)  # more than one, since threads may still be in the epoch before
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of the videos in an epoch."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)


class _WrongSizeError(VideoError):
    """The frames have another size than the model's."""


class _TooShortError(VideoError):
    """There are fewer frames than a clip needs."""


def _look(source: ClipSource, resolution: int, needed: int, place: int, stop: Stop) -> tuple[int, Video] | VideoError:
    """Return the length of a video, or why it cannot be used. It runs in a thread.

    The video is returned with its length, since a long one that was counted can be sought in.
    """
    stop.check()
    video = source.video(place)
    try:
        length = len(video.names) if isinstance(video, FrameFolder) else video.num_frames
        if length == 0:
            raise VideoError("no frame decodes")
        _check_size(_frames(video, np.array([0])), resolution)
        if length < needed:
            raise _TooShortError(f"too short: {counted(length, 'frame')}, a clip needs {needed}")
        return length, video
    except VideoError as error:
        return error


def _frames(video: Video, places: Indices) -> Pixels:
    """Return frames at ascending places: uint8 [T, H, W, 3]. Raises VideoError."""
    if isinstance(video, FrameFolder):
        # A folder checks the headers of all its images before it gives one, which takes minutes in a large set.
        video, places = video.subset(places), np.arange(len(places))
    ((_, clip),) = read_clips(video, [places])
    return clip.frames


def _check_size(frames: Pixels, resolution: int) -> None:
    height, width = frames.shape[1:3]
    if (height, width) != (resolution, resolution):
        raise _WrongSizeError(f"frames are {width}×{height}, the model's {resolution}×{resolution}")


def _is_file(name: str) -> bool:
    return bare_name(name) != name


def _none_left(
    source: ClipSource, resolution: int, skipped: Sequence[tuple[str, str]], *, prepare: bool, needed: int | None
) -> str:
    """Say that no video is left, and what to do. prepare: where sizes are wrong. needed: frames, where some lack."""
    named = "; ".join(f"{name}: {reason}" for name, reason in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    message = f"{source.name}: none of {counted(len(skipped), 'video')} can be used for training ({named}{more})"
    if prepare:
        message += f"; crop and resize them: stylegan-v data {source.name} OUT --resolution {resolution}"
    if needed is not None:
        message += f"; {longer_videos(needed)}"
    return message


def longer_videos(needed: int) -> str:
    """Say which videos to take where those that are there are shorter than a clip. needed: frames of a clip."""
    return f"take videos of {counted(needed, 'frame')} or more"
