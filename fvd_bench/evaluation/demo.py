"""The main job on data that the demo makes itself: moving shapes, and worse and worse copies of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fvd_bench.atomic import partial_file
from fvd_bench.errors import SourceError, cause
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.packages import needed_for
from fvd_bench.paths import user_path
from fvd_bench.progress import Progress
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Pixels

_VIDEOS = 24
FRAMES = 32
_SIDE = 96
_FPS = 25
_SLICES = 3
"""Parts of a frame that are coded by themselves."""


@dataclass(frozen=True, slots=True)
class Row:
    """One set of fake videos: what was done to it, and its score against the real ones."""

    what: str
    result: Result


def _same(frames: Pixels, rng: np.random.Generator) -> Pixels:
    return frames


def _blurred(frames: Pixels, rng: np.random.Generator) -> Pixels:
    soft = ImageFilter.GaussianBlur(2.5)
    return np.stack([np.asarray(Image.fromarray(frame).filter(soft)) for frame in frames])


def _noisy(frames: Pixels, rng: np.random.Generator) -> Pixels:
    noise = rng.normal(0, 24, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def _shuffled(frames: Pixels, rng: np.random.Generator) -> Pixels:
    return frames[rng.permutation(len(frames))]


_COPIES: dict[str, tuple[str, Callable[[Pixels, np.random.Generator], Pixels]]] = {
    "same": ("other videos of the same shapes", _same),
    "blurred": ("the same, every frame blurred", _blurred),
    "noisy": ("the same, every frame noisy", _noisy),
    "shuffled": ("the same, frames in random order", _shuffled),
}


def run(folder: Path, *, settings: Settings, progress: Progress) -> list[Row]:
    """Write the videos into `folder` unless they are there, and score each set of fake ones.

    Raises FvdBenchError as `evaluate` does.
    """
    folder = user_path(folder)
    real = folder / "real"
    _write_set(real, _same, first_seed=0)
    rows: list[Row] = []
    for done, (name, (what, change)) in enumerate(_COPIES.items()):
        progress("sets of fake videos", done, len(_COPIES))
        _write_set(folder / name, change, first_seed=_VIDEOS)
        with open_evaluation(
            real, folder / name, "stylegan-v-fvd16", repeats=1, seed=0, settings=settings, progress=progress
        ) as evaluation:
            rows.append(Row(what, result_of(collect(evaluation))))
    progress("sets of fake videos", len(_COPIES), len(_COPIES))
    return rows


def _write_set(folder: Path, change: Callable[[Pixels, np.random.Generator], Pixels], *, first_seed: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        visible = [f for f in folder.iterdir() if not f.name.startswith(".")]
        others = [f.name for f in visible if not (f.stem.isdigit() and f.suffix == ".mp4")]
        if others:
            raise SourceError(f"{folder} holds {others[0]}, which is not the demo's; name another --folder")
        for seed in range(first_seed, first_seed + _VIDEOS):
            file = folder / f"{seed:03d}.mp4"
            if not file.exists():
                rng = np.random.default_rng(seed)
                with partial_file(file) as partial:
                    write_mp4(partial, change(moving_shapes(rng), rng))
    except OSError as error:
        raise SourceError(f"the demo cannot write its videos to {folder}: {cause(error)}") from error


def moving_shapes(rng: np.random.Generator, *, frames: int = FRAMES) -> Pixels:
    """Draw discs and boxes that drift over a plain ground and bounce off its edges: uint8 [frames, S, S, 3]."""
    ground = tuple(rng.integers(0, 80, 3).tolist())
    colours = [tuple(c) for c in rng.integers(100, 256, (3, 3)).tolist()]
    sizes = rng.uniform(8, 20, 3)
    places = rng.uniform(20, _SIDE - 20, (3, 2))
    speeds = rng.uniform(-3, 3, (3, 2))
    drawn: list[Pixels] = []
    for _ in range(frames):
        image = Image.new("RGB", (_SIDE, _SIDE), ground)
        draw = ImageDraw.Draw(image)
        for shape, (colour, size, (x, y)) in enumerate(zip(colours, sizes, places, strict=True)):
            outline = (x - size, y - size, x + size, y + size)
            if shape % 2:
                draw.rectangle(outline, fill=colour)
            else:
                draw.ellipse(outline, fill=colour)
        drawn.append(np.asarray(image))
        places = places + speeds
        speeds = np.where((places < 0) | (places > _SIDE), -speeds, speeds)
    return np.stack(drawn)


def write_mp4(file: Path, frames: Pixels) -> None:
    """Write uint8 [T, H, W, 3] frames of even height and width as MPEG-4 Part 2 in an mp4 container.

    The codec is not H.264: libx264 does not give the same bytes each time, and the demo's numbers should be the same.
    They are, on any number of processors: a frame has as many slices as there are threads, which is stated for that.
    Raises OSError, and FvdBenchError without PyAV.
    """
    with needed_for("mp4 files", "av"):
        import av

    try:
        with av.open(str(file), "w", format="mp4") as container:
            stream = container.add_stream("mpeg4", rate=Fraction(_FPS), options={"qmin": "2", "qmax": "2"})
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", _SLICES
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    except av.error.FFmpegError as error:
        raise OSError(cause(error)) from error
