"""Moments of long videos side by side: the beginning, and a second, a minute and an hour later.

As figures 1 and 8 of the paper show generated videos of an hour. StyleGAN-V makes each frame alone, without those
before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from stylegan_v.memory import check_memory, frame_bytes
from stylegan_v.sampling.sampler import Label, VideoSampler
from stylegan_v.studies.pictures import check_size, labelled

SECONDS = (0.0, 1.0, 60.0, 600.0, 3600.0)


def strip(
    sampler: VideoSampler,
    *,
    videos: int,
    seconds: Sequence[float] = SECONDS,
    first: int = 0,
    label: Label | None = None,
    file: Path | None = None,
) -> Image.Image:
    """Draw a row for each of the videos `first` to `first + videos - 1`, with the frames at these times.

    seconds: times after the first frame. Shown is the frame nearest to each. label: the class of all videos, drawn
    unless given. file: where the picture is to be written, so that one too large for it is refused before any frame is
    made. Raises ConfigError, ModelError.
    """
    places = [round(second * sampler.rate) for second in seconds]
    sampler.check_numbers(first, videos)
    side = sampler.generator.config.resolution
    check_memory(f"videos = {videos}", videos * len(places) * frame_bytes(side))
    numbers = range(first, first + videos)
    rows, columns = [f"video {number}" for number in numbers], [in_units(second) for second in seconds]
    if file is not None:
        check_size(file, side, rows=rows, columns=columns)
    cells = [list(sampler.frames(number, places, label=label)) for number in numbers]
    return labelled(cells, rows=rows, columns=columns)


def in_units(seconds: float) -> str:
    """Write a time in hours, minutes or seconds, whichever is the largest unit that fits."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
