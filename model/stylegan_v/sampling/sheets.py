"""Grids of frames as images, and frames as a video file that people look at.

Scores should not be computed from such video files, since their codec loses more than JPEG of quality 95 does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from fvd_bench.atomic import partial_file
from fvd_bench.errors import cause
from fvd_bench.videos.video import Pixels
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.sampling.sampler import Label, VideoSampler

VIDEO_FILE_SUFFIXES = (".mp4", ".webp")

_LARGEST_RATE_DIVISOR = 1001
"""Slower videos are written with a frame in so many seconds."""

_LONGEST_SIDE, _LONGEST_WEBP_SIDE = 2**14, 2**14 - 1
"""In pixels, of frames that libx264 and WebP take."""


def tile(frames: Pixels) -> Pixels:
    """Join a grid of images to one image: uint8 [R, C, H, W, 3] -> [R·H, C·W, 3]."""
    rows, columns, height, width, channels = frames.shape
    return frames.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def decomposition(
    sampler: VideoSampler, *, rows: int, columns: int, frames: int, first: int = 0, label: Label | None = None
) -> Iterator[Pixels]:
    """Yield the frames of a grid whose rows share motion and whose columns share content: uint8 [rows·R, columns·R, 3].

    Row r moves as video `first` + r; column c shows the content of video `first` + c. Raises ConfigError for frames
    that no file of a video holds.
    """
    sampler.check_numbers(first, max(rows, columns))
    check_grid(rows, columns, sampler.generator.config.resolution)
    places = range(frames)
    cells = [
        sampler.frames(first + column, places, label=label, motion_of=first + row)
        for row in range(rows)
        for column in range(columns)
    ]
    for images in zip(*cells, strict=True):
        yield tile(np.stack(images).reshape(rows, columns, *images[0].shape))


def check_grid(rows: int, columns: int, side: int) -> None:
    """Raise ConfigError where a grid of videos of a side in pixels makes larger frames than a file of a video holds."""
    if max(rows, columns) * side > _LONGEST_SIDE:
        raise ConfigError(
            f"{rows} × {columns} videos of {side}² make frames of {columns * side} × {rows * side} pixels, and those "
            f"of a file have at most {_LONGEST_SIDE} a side: ask for fewer"
        )


def check_writable(suffix: str) -> None:
    """Raise ModelError when videos of this kind cannot be written here."""
    if suffix == ".mp4":
        try:
            import av  # noqa: F401
        except ImportError as error:
            raise ModelError("mp4 files need PyAV, which is not installed: pip install av, or write jpg") from error


def write_video(file: Path, frames: Iterable[Pixels], fps: float) -> None:
    """Write frames, uint8 [H, W, 3] of even height and width, as an .mp4 or an animated .webp file.

    An mp4 file is H.264 where FFmpeg has libx264, else MPEG-4 Part 2, and is written frame by frame. For a .webp file,
    Pillow holds all frames in memory. The file gets its name when it is whole. Raises ModelError.
    """
    suffix = file.suffix.lower()
    if suffix not in VIDEO_FILE_SUFFIXES:
        raise ModelError(f"{file}: expected a file that ends in {' or '.join(VIDEO_FILE_SUFFIXES)}")
    check_writable(suffix)
    with whole_or_nothing(file) as partial:
        (_write_mp4 if suffix == ".mp4" else _write_webp)(partial, frames, fps)


@contextlib.contextmanager
def whole_or_nothing(file: Path) -> Iterator[Path]:
    """Give a path to write a file to, as `atomic.partial_file` does. Raises ModelError."""
    try:
        with partial_file(file) as partial:
            yield partial
    except OSError as error:
        raise ModelError(f"{file} cannot be written: {cause(error)}") from error


def _write_mp4(file: Path, frames: Iterable[Pixels], fps: float) -> None:
    import av

    fine = "libx264" in av.codecs_available
    options = {"crf": "12"} if fine else {"qmin": "2", "qmax": "2"}
    try:
        with av.open(str(file.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            rate = max(Fraction(fps).limit_denominator(_LARGEST_RATE_DIVISOR), Fraction(1, _LARGEST_RATE_DIVISOR))
            stream = container.add_stream("libx264" if fine else "mpeg4", rate=rate, options=options)
            stream.pix_fmt = "yuv420p"
            for place, frame in enumerate(frames):
                if place == 0:
                    stream.height, stream.width = frame.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    except av.error.FFmpegError as error:
        raise OSError(cause(error)) from error


def _write_webp(file: Path, frames: Iterable[Pixels], fps: float) -> None:
    from PIL import Image

    images = map(Image.fromarray, frames)
    first = next(images)
    if max(first.size) > _LONGEST_WEBP_SIDE:
        width, height = first.size
        raise OSError(f"frames are {width} × {height}, and WebP has {_LONGEST_WEBP_SIDE} pixels a side: write an .mp4")
    duration = round(1000 / max(fps, 1 / _LARGEST_RATE_DIVISOR))  # in milliseconds
    first.save(file, "WEBP", save_all=True, append_images=list(images), duration=duration, loop=0, quality=90)
