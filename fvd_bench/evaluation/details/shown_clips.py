"""A few clips of an evaluation, read again and made small: the very frames that the network saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fvd_bench.errors import VideoError
from fvd_bench.evaluation.collection import Collection
from fvd_bench.features.jobs import Job
from fvd_bench.inspection.motion_of_sides import evenly_spaced
from fvd_bench.sources.opening import ClipSource
from fvd_bench.videos.clips import DrawEnd, DrawnClip, read_draws
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.video import Pixels

HEIGHT = 80
"""Height of a small frame in pixels."""

_MOST_WIDTH = 160
_MOST_FRAMES = 16
_FIRST_VIDEOS = 8


@dataclass(frozen=True, slots=True)
class ShownClip:
    """The first clip of a video, made small after all that the protocol does to its frames.

    frames: uint8 [T, H, W, 3], RGB, 80 high, at most 16 evenly spaced ones of the clip. None where it cannot be read.
    step: every how many frames of the clip one is shown. reason: why it cannot be read.
    """

    video: str
    frames: Pixels | None = None
    step: int = 1
    reason: str = ""


def shown_clips(collection: Collection, job: Job, videos: Iterable[int]) -> dict[int, ShownClip]:
    """Read the clips that a job took of some videos, by their index. Raises CacheError.

    Nothing is raised for a video that cannot be read any more: its clip says why.
    """
    evaluation = collection.evaluation
    source, collected = evaluation.sources[job.draw.reads], collection.collected[job]
    places = dict(zip(reversed(collected.videos), reversed(collected.places), strict=True))  # a video's first place
    wanted = list(dict.fromkeys(videos))

    def work(index: int) -> Iterator[ShownClip]:
        name = source.names[index]
        try:
            yield _first(name, read_draws(source.video(index), [job.draw], places[index]))
        except VideoError as error:
            yield ShownClip(name, reason=str(error))

    found: dict[int, ShownClip] = {}
    for index, clip in in_order(wanted, work, workers=evaluation.workers):
        found[index] = clip
        evaluation.progress(f"{job.draw.side} clips for the page", len(found), len(wanted))
    return found


def first_frames(source: ClipSource, *, workers: int) -> list[ShownClip]:
    """Read the first 16 frames of 8 videos of a source, evenly spaced over its listing, under no protocol."""

    def work(index: int) -> Iterator[ShownClip]:
        name, video = source.names[index], source.video(index)
        try:
            frames = [frame.pixels for frame in video.frames(np.arange(min(_MOST_FRAMES, video.num_frames)))]
            yield ShownClip(name, np.stack([_shrunk(frame) for frame in frames]))
        except (VideoError, ValueError) as error:  # frames may differ in size
            yield ShownClip(name, reason=str(error))

    return [clip for _, clip in in_order(evenly_spaced(len(source.names), _FIRST_VIDEOS), work, workers=workers)]


def _first(name: str, items: Iterator[DrawnClip | DrawEnd]) -> ShownClip:
    for item in items:
        if isinstance(item, DrawEnd):
            return ShownClip(name, reason=item.skipped or "it has no clip")
        frames, step = _small(item.images)
        return ShownClip(name, frames, step)
    return ShownClip(name, reason="it has no clip")


def _small(images: Pixels) -> tuple[Pixels, int]:
    """Return at most 16 frames, 80 pixels high, and every how many frames they are taken."""
    step = -(-len(images) // _MOST_FRAMES)
    return np.stack([_shrunk(image) for image in images[::step]]), step


def _shrunk(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    size = (min(_MOST_WIDTH, max(1, round(width * HEIGHT / height))), HEIGHT)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
