"""Training clips: k frames of a real video with their times, and the times of clips that the generator is asked for.

Every draw is addressed by the number of a training sample: what is drawn depends on the seed and that number, not on
threads, processes, batches, or what was drawn before. Real samples go through the videos in epochs, in an order
that is shuffled anew in each; a long video is as likely as a short one.
"""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fvd_bench.errors import VideoError
from fvd_bench.evaluation import Progress, silent
from fvd_bench.frame_folder import FrameFolder
from fvd_bench.sampling import Indices
from fvd_bench.sources import ClipSource, bare_name, open_source
from fvd_bench.video import Pixels, Video, read_clips
from stylegan_v.ahead import Stop, run_ahead
from stylegan_v.errors import DataError
from stylegan_v.labels import Labels, label_vectors, read_labels
from stylegan_v.timing import Spans, Times, fake_times, real_times

_ORDER, _REAL_TIMES, _FAKE = 101, 102, 103
"""What random numbers are drawn for: the second number of their key."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class RealClip:
    """Frames of a real video. frames: uint8 [T, H, W, 3]; times: int64 [T]; label: float32 [num_classes]."""

    frames: Pixels
    times: NDArray[np.int64]
    label: Labels
    name: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Real clips. frames: uint8 [B, T, 3, H, W]; times: float64 [B, T]; labels: float32 [B, num_classes]."""

    frames: Tensor
    times: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """What the model asks of a clip; see `ModelConfig`."""

    resolution: int
    frames: int
    max_frames: int = 1024
    max_span: int = 32
    spans: Spans = "powers"


class VideoDataset:
    """The videos of a set that training can use, and the clips that are drawn from them.

    names, lengths: of these videos; skipped: names of the others, and why; notes: sentences about the set.
    num_videos: what real clips are drawn from, twice as many with `mirror`: each video and its mirror image.
    """

    def __init__(
        self,
        source: ClipSource,
        lengths: dict[int, int],
        skipped: Sequence[tuple[str, str]],
        labels: Labels,
        videos: dict[int, Video],
        *,
        shape: ClipShape,
        mirror: bool,
    ) -> None:
        """lengths, videos: those that can be used, by place in the source; labels: theirs, in the same order."""
        self.shape = shape
        self.names = tuple(source.names[place] for place in lengths)
        self.lengths = tuple(lengths.values())
        self.skipped = tuple(skipped)
        self.labels = labels
        self.mirror = mirror
        self.num_videos = len(self.names) * (2 if mirror else 1)
        self.notes = tuple(source.notes)
        if any(_is_file(name) for name in self.names):
            self.notes += (
                f"{source.name} holds video files, and of these every clip is decoded anew: "
                f"training is faster on folders of frames (stylegan-v data {source.name} OUT "
                f"--resolution {shape.resolution})",
            )
        self._source = source
        self._places = tuple(lengths)
        self._videos = videos

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
        mirror: bool = False,
        num_classes: int = 0,
        workers: int = 4,
        progress: Progress = silent,
    ) -> VideoDataset:
        """List a set and look at the size and length of each video. Raises DataError, SourceError.

        frames: k, per clip; the rest as in `ModelConfig`. Lengths of video files are counted by decoding them; of
        frame folders the first image is looked at, the others when they are drawn.
        """
        source = open_source(path)
        shape = ClipShape(resolution=resolution, frames=frames, max_frames=max_frames, max_span=max_span, spans=spans)
        lengths: dict[int, int] = {}
        videos: dict[int, Video] = {}
        skipped: list[tuple[str, str]] = []
        wrong_size = False
        total = len(source.names)
        with closing(run_ahead(range(total), partial(_look, source, shape), workers=workers, ahead=256)) as looks:
            for place, look in enumerate(looks):
                progress("videos looked at", place + 1, total)
                if isinstance(look, VideoError):
                    skipped.append((source.names[place], str(look)))
                    wrong_size |= isinstance(look, _WrongSizeError)
                else:
                    lengths[place], videos[place] = look
        if not lengths:
            raise DataError(_none_left(source, shape, skipped, prepare=wrong_size))
        found = read_labels(Path(path), source.names) if num_classes else {}
        labels = label_vectors(found, [source.names[place] for place in lengths], num_classes)
        return cls(source, lengths, skipped, labels, videos, shape=shape, mirror=mirror)

    def real_clip(self, sample: int, *, seed: int) -> RealClip:
        """The real clip of a training sample. Raises DataError when its video can no longer be read."""
        epoch, turn = divmod(sample, self.num_videos)
        flip, item = divmod(int(_order(seed, epoch, self.num_videos)[turn]), len(self.names))
        rng = np.random.default_rng([seed, _REAL_TIMES, sample])
        length = self.lengths[item]
        window = min(length, self.shape.max_frames)
        start = int(rng.integers(0, length - window + 1))
        times = real_times(rng, window, self.shape.frames, max_span=self.shape.max_span, rule=self.shape.spans)
        frames = self.frames(item, start + times)
        if flip:
            frames = np.ascontiguousarray(frames[:, :, ::-1])
        return RealClip(frames, times, self.labels[item], self.names[item])

    def fake(self, sample: int, *, seed: int, purpose: int) -> tuple[Times, Labels]:
        """Times for a generated clip, as in a training video drawn at random, and the label of that: float64 [T],
        float32 [num_classes].

        purpose: tells apart what clips are generated for, such as the steps of the two networks.
        """
        rng = np.random.default_rng([seed, _FAKE, purpose, sample])
        item = int(rng.integers(len(self.names)))
        window = min(self.lengths[item], self.shape.max_frames)
        times = fake_times(rng, window, self.shape.frames, max_span=self.shape.max_span, rule=self.shape.spans)
        return times, self.labels[item]

    def frames(self, item: int, places: Indices) -> Pixels:
        """Frames of the video at a place of `names`: uint8 [T, H, W, 3]. places: ascending. Raises DataError."""
        name = self.names[item]
        try:
            frames = _frames(self._videos[self._places[item]], places)
            _check_size(frames, self.shape.resolution)
        except VideoError as error:
            raise DataError(
                f"{self._source.name}: video {name} could be used when it was listed, but not any more: {error}; "
                "restore it, or remove it and start again from the last checkpoint"
            ) from error
        return frames


def batches(
    dataset: VideoDataset, samples: Iterable[Sequence[int]], *, seed: int, workers: int
) -> Generator[Batch, None, None]:
    """The batches of real clips of these samples, in order, `workers` of them read ahead in threads.

    samples: the numbers in each batch, without end if need be. Raises DataError at the place of the clip.
    """
    return run_ahead(samples, partial(_batch, dataset, seed), workers=workers, ahead=workers)


def _batch(dataset: VideoDataset, seed: int, samples: Sequence[int], stop: Stop) -> Batch:
    """Runs in a thread."""
    clips: list[RealClip] = []
    for sample in samples:
        stop.check()
        clips.append(dataset.real_clip(sample, seed=seed))
    frames = np.stack([clip.frames for clip in clips])  # [B, T, H, W, 3]
    return Batch(
        torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3))),
        torch.from_numpy(np.stack([clip.times for clip in clips]).astype(np.float64)),
        torch.from_numpy(np.stack([clip.label for clip in clips])),
    )


@functools.lru_cache(maxsize=4)  # threads may still be in the epoch before
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of the videos in an epoch."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)


class _WrongSizeError(VideoError):
    """Frames of another size than the model's."""


def _look(source: ClipSource, shape: ClipShape, place: int, stop: Stop) -> tuple[int, Video] | VideoError:
    """Runs in a thread: the length of a video, or why it cannot be used.

    The video goes with it, since a long one that was counted can be sought in.
    """
    stop.check()
    video = source.video(place)
    try:
        length = len(video.names) if isinstance(video, FrameFolder) else video.num_frames
        if length == 0:
            raise VideoError("no frame decodes")
        _check_size(_frames(video, np.array([0])), shape.resolution)
        if length < shape.frames:
            raise VideoError(f"too short: {length} frames, a clip needs {shape.frames}")
        return length, video
    except VideoError as error:
        return error


def _frames(video: Video, places: Indices) -> Pixels:
    """Frames of ascending places: uint8 [T, H, W, 3]. Raises VideoError."""
    if isinstance(video, FrameFolder):
        # A folder checks the headers of all its images before it gives one; in a large set that takes minutes.
        video, places = video.subset(places), np.arange(len(places))
    ((_, clip),) = read_clips(video, [places])
    return clip.frames


def _check_size(frames: Pixels, resolution: int) -> None:
    height, width = frames.shape[1:3]
    if (height, width) != (resolution, resolution):
        raise _WrongSizeError(f"frames are {width}×{height}, the model's {resolution}×{resolution}")


def _is_file(name: str) -> bool:
    return bare_name(name) != name


def _none_left(source: ClipSource, shape: ClipShape, skipped: Sequence[tuple[str, str]], *, prepare: bool) -> str:
    named = "; ".join(f"{name}: {reason}" for name, reason in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    message = f"{source.name}: none of {len(skipped)} videos can be used for training ({named}{more})"
    if prepare:
        message += f"; crop and resize them: stylegan-v data {source.name} OUT --resolution {shape.resolution}"
    return message
