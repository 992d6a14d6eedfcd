"""All frames of a set in memory, as bytes, on the device that trains. Clips need neither files nor copies to a GPU."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing

import numpy as np
import torch

from fvd_bench.progress import Progress, silent
from stylegan_v.data.clips import Batch, VideoDataset, sent
from stylegan_v.data.prefetch import Stop, run_ahead
from stylegan_v.memory import frame_bytes

LARGEST_SHARE = 1 / 4
"""Share of a GPU's memory that a set may take without being asked for."""

LARGEST_ON_CPU = 2**30
"""Bytes that a set may take without being asked for, where training is on the CPU."""


def size(dataset: VideoDataset) -> int:
    """Return how many bytes all frames of a set take."""
    return sum(dataset.lengths) * frame_bytes(dataset.resolution)


def fits(dataset: VideoDataset, device: torch.device) -> bool:
    """Return whether a set is small enough to be kept on a device without being asked for."""
    if device.type != "cuda":
        return size(dataset) <= LARGEST_ON_CPU
    return size(dataset) <= LARGEST_SHARE * torch.cuda.get_device_properties(device).total_memory


class PreloadedVideos:
    """The frames of a dataset, decoded once."""

    def __init__(
        self, dataset: VideoDataset, device: torch.device, *, workers: int = 1, progress: Progress = silent
    ) -> None:
        """workers: threads that decode. Raises DataError, and torch.OutOfMemoryError where the frames do not fit."""
        self._dataset = dataset
        self._device = device
        self._times = dataset.times.to(device)
        self._labels = torch.from_numpy(dataset.labels).to(device)
        ends = np.cumsum(dataset.lengths)
        starts = ends - np.array(dataset.lengths)
        self._starts = torch.from_numpy(starts).to(device)
        shape = (int(ends[-1]), 3, dataset.resolution, dataset.resolution)
        self._frames = torch.empty(shape, dtype=torch.uint8, device=device)

        def decode(item: int, stop: Stop) -> torch.Tensor:
            stop.check()
            frames = dataset.frames(item, np.arange(dataset.lengths[item]))
            return torch.from_numpy(frames).movedim(3, 1)

        videos = range(len(starts))
        with closing(run_ahead(videos, decode, workers=workers, ahead=2 * workers)) as decoded:
            for item, frames in enumerate(decoded):
                self._frames[starts[item] : ends[item]] = frames.to(device)
                progress("videos read", item + 1, len(videos))

    def batches(self, samples: Iterable[Sequence[int]], *, seed: int) -> Generator[Batch, None, None]:
        """Yield the batches of `clips.batches`, bit for bit, made on the device."""
        for numbers in samples:
            items, flips = self._dataset.turns(numbers, seed=seed)
            videos = sent(torch.from_numpy(items), self._device)
            places, times = self._times.real(seed, sent(torch.tensor(numbers), self._device), videos)
            frames = self._frames[self._starts[videos][:, None] + places]
            if self._dataset.mirror:
                mirrored = sent(torch.from_numpy(flips), self._device)[:, None, None, None, None]
                frames = torch.where(mirrored, frames.flip(-1), frames)
            yield Batch(frames, times.to(torch.float64), self._labels[videos])
