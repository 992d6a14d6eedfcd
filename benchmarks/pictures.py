"""Pictures: of comparison.py, samples of all rows (the paper's Figure 7) and scores by costs (Figure 3); and of what
faces.py has trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from fvd_bench.reports.charts.canvas import saved
from fvd_bench.reports.charts.labels import write_labels
from fvd_bench.reports.charts.palette import SCORE, SOFT
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Pixels
from stylegan_v.checkpoints import checkpoint
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.sampling.sheets import tile, write_video

PLACES = range(0, 64, 4)
"""Every 4th frame of the first 64, as the paper shows them; of shorter videos those that there are."""

VIDEOS = 2
"""Videos of each row."""

MARGIN = 170
"""Pixels on the left, for names."""


def sheet(checkpoints: Mapping[str, Path], real: Path, file: Path, *, device: str) -> None:
    """Write samples of all rows below each other, real videos first, a video in a line. checkpoints: by label."""
    source = open_source(str(real))
    lines = [("real videos", real_frames(source.video(number))) for number in range(VIDEOS)]
    for label, path in checkpoints.items():
        generator = checkpoint.load(path).generator(device).requires_grad_(False)
        places = [place for place in PLACES if generator.longest is None or place < generator.longest]
        sampler = VideoSampler(generator)
        lines += [(label, np.stack(list(sampler.frames(number, places)))) for number in range(VIDEOS)]
    side = max(frames.shape[1] for _, frames in lines)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 11)  # which has Greek letters
    page = Image.new("RGB", (MARGIN + len(PLACES) * side, len(lines) * side), "white")
    for line, (label, frames) in enumerate(lines):
        if line % VIDEOS == 0:
            ImageDraw.Draw(page).text((6, line * side + 6), label, fill="black", font=font)
        for column, frame in enumerate(frames):
            page.paste(Image.fromarray(frame), (MARGIN + column * side, line * side))
    page.save(file, quality=90)
    print(f"wrote {file}", flush=True)


def real_frames(video: Any) -> Pixels:
    """The frames of a real video that are shown, as many as it has of them."""
    indices = np.array([place for place in PLACES if place < video.num_frames])
    return np.stack([frame.pixels for frame in video.frames(indices)])


def samples(file: Path, name: str) -> None:
    """Write NAME-sheet.jpg and NAME-film.webp to the results: the first twelve videos of a checkpoint, as they come.

    In the sheet a video is every 4th frame of 32, and two are in a line; in the film all play side by side.
    """
    found = checkpoint.load(file)
    sampler = VideoSampler(found.generator().requires_grad_(False))
    videos = np.stack([np.stack(list(sampler.frames(number, range(32)))) for number in range(12)])
    frames = videos.shape[2:]
    Image.fromarray(tile(videos[:, ::4].reshape(6, 16, *frames))).save(RESULTS / f"{name}-sheet.jpg", quality=90)
    grid = videos.reshape(3, 4, 32, *frames)
    write_video(RESULTS / f"{name}-film.webp", (tile(grid[:, :, time]) for time in range(32)), found.fps)
    print(f"wrote {name}-sheet.jpg and {name}-film.webp", flush=True)


def costs(rows: Mapping[str, Mapping[str, Any]], score: str, baseline: str, file: Path) -> None:
    """Write a plot of the rows that have a score, with its interval, by what a thousand frames of training cost."""

    def figure() -> Figure:
        drawn = Figure(figsize=(7, 4.5), layout="constrained")
        axes = drawn.subplots()
        places: dict[str, tuple[float, float]] = {}
        for label, row in rows.items():
            found = row["scores"][score]
            if found["value"] is None:
                continue
            low, high = found["interval"] or (found["value"], found["value"])
            axes.plot([row["cost"], row["cost"]], [low, high], color=SOFT)
            axes.plot(row["cost"], found["value"], "o", color=SCORE)
            places[label] = (row["cost"], found["value"])
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.margins(0.2)
        axes.set_xlabel(f"time for a thousand frames of training, {baseline} = 1")
        axes.set_ylabel(f"{score}, lower is better")
        axes.spines[["top", "right"]].set_visible(False)
        write_labels(drawn, axes, places, size="small")
        return drawn

    file.write_bytes(saved(figure, ".png"))
    print(f"wrote {file}", flush=True)
