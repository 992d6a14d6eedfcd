"""Sheets and videos of what a generator makes, for people who would rather look than read."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from fvd_bench.videos.video import Pixels
from stylegan_v.data.clips import VideoDataset
from stylegan_v.data.folder import JPEG_QUALITY
from stylegan_v.networks.video_generator import VideoGenerator
from stylegan_v.sampling.sheets import tile, whole_or_nothing, write_video
from stylegan_v.sampling.videos import GeneratedVideos

_ROWS, _COLUMNS = 4, 8
_STRIDE = 4


def save_reals(folder: Path, dataset: VideoDataset) -> None:
    """Save a sheet of real videos, with a video per row and every fourth frame. Raises ModelError."""
    file = folder / "reals.jpg"
    if not file.exists():
        rows = []
        for item in np.linspace(0, len(dataset.names) - 1, _ROWS).round().astype(int).tolist():
            last = dataset.lengths[item] - 1
            rows.append(dataset.frames(item, np.minimum(np.arange(_COLUMNS) * _STRIDE, last)))
        _save_image(file, np.stack(rows))


def save_fakes(folder: Path, generator: VideoGenerator, *, kimg: float, fps: float) -> None:
    """Save a sheet of generated videos, like that of real ones, and a film of sixteen. Raises ModelError."""
    frames = min(_COLUMNS * _STRIDE, generator.longest or _COLUMNS * _STRIDE)
    videos = GeneratedVideos(generator, videos=_ROWS * _ROWS, frames=frames, seed=0, train_fps=fps, name="samples")
    films = np.stack([_frames(videos, index) for index in range(_ROWS * _ROWS)])  # [16, 32, H, W, 3]
    name = f"fakes-{round(kimg * 1000):09d}"
    _save_image(folder / f"{name}.jpg", films[:_ROWS, ::_STRIDE])
    grid = films.reshape(_ROWS, _ROWS, *films.shape[1:])
    suffix = ".mp4" if importlib.util.find_spec("av") else ".webp"
    write_video(folder / f"{name}{suffix}", (tile(grid[:, :, t]) for t in range(films.shape[1])), fps=fps)


def _frames(videos: GeneratedVideos, index: int) -> Pixels:
    return np.stack([frame.pixels for frame in videos.video(index).frames(np.arange(videos.frames))])


def _save_image(file: Path, frames: Pixels) -> None:
    with whole_or_nothing(file) as partial:
        Image.fromarray(tile(frames)).save(partial, "JPEG", quality=JPEG_QUALITY)
