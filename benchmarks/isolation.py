"""Question: what does decoding in a process of its own cost?

Command:  python benchmarks/isolation.py DATA
Time:     a minute on 2 cores that have other work as well.
Expected: 40 to 100 % more processor time for each frame that is sent from one process to the other, least on one core,
          where neither wakes the other. A clip's are 16 frames, so that a score hardly takes longer.

Every frame of each video is made RGB. "here" decodes with PyAV in this process and thread: all frames, so that their
number is known, then each is made RGB, which is what the other process does; "apart" is `VideoFile`. Then the same of
the first set's frames as JPEG files of quality 95: "here" is Pillow, once for the header of each and once for its
pixels, "apart" is `FrameFolder`. The best of four rounds in turn, so that other programs on the machine matter less;
processor time is that of both processes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from machine import write
from PIL import Image

from fvd_bench.videos.decoding.pool import DECODERS
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Pixels

ROUNDS = 4
SETS = {"dev/faces_mp4_128": 60, "dev/asl_mkv": 8}
"""Folders, and how many of their videos are read."""


def here(file: Path) -> Iterator[Pixels]:
    with av.open(str(file)) as container:
        container.streams.video[0].codec_context.thread_type = "NONE"
        for frame in list(container.decode(video=0)):
            yield np.ascontiguousarray(frame.to_ndarray(format="rgb24", threads=1))


def apart(file: Path) -> Iterator[Pixels]:
    video = VideoFile(file)
    for frame in video.frames(np.arange(video.num_frames)):
        yield frame.pixels


def images_here(folder: Path) -> Iterator[Pixels]:
    for file in sorted(folder.iterdir()):
        with Image.open(file):
            pass
    for file in sorted(folder.iterdir()):
        with Image.open(file) as image:
            yield np.asarray(image.convert("RGB"))


def images_apart(folder: Path) -> Iterator[Pixels]:
    video = FrameFolder(folder, [file.name for file in folder.iterdir()])
    for frame in video.frames(np.arange(video.num_frames)):
        yield frame.pixels


def as_images(files: list[Path], root: Path) -> list[Path]:
    """Write a folder of frames for each video, and return the folders."""
    for file in files:
        (root / file.stem).mkdir()
        for t, pixels in enumerate(here(file)):
            Image.fromarray(pixels).save(root / file.stem / f"{t:06d}.jpg", quality=95)
    return sorted(root.iterdir())


def cost(read: Callable[[Path], Iterator[Pixels]], files: list[Path]) -> tuple[int, float, float]:
    """Return how many frames the files have, and the seconds and processor seconds that reading them takes."""
    began, processor, frames = time.perf_counter(), processor_seconds(), 0
    for file in files:
        frames += sum(1 for _ in read(file))
    return frames, time.perf_counter() - began, processor_seconds() - processor


def processor_seconds() -> float:
    """Return the processor seconds of this process and of those that decode, which only Linux tells while they run."""
    ticks = 0
    for process in DECODERS.processes():
        values = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(values[11]) + int(values[12])  # user and system
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def compare(
    here: Callable[[Path], Iterator[Pixels]], apart: Callable[[Path], Iterator[Pixels]], files: list[Path]
) -> dict[str, float]:
    list(apart(files[0]))  # the process is running
    costs = [(cost(here, files), cost(apart, files)) for _ in range(ROUNDS)]
    answer: dict[str, float] = {}
    for place, name in enumerate(("here", "apart")):
        frames = costs[0][place][0]
        answer[f"frames_per_second_{name}"] = round(frames / min(c[place][1] for c in costs), 1)
        answer[f"processor_ms_per_frame_{name}"] = round(1e3 * min(c[place][2] for c in costs) / frames, 3)
    answer["speed_ratio"] = round(answer["frames_per_second_apart"] / answer["frames_per_second_here"], 3)
    answer["processor_ratio"] = round(answer["processor_ms_per_frame_apart"] / answer["processor_ms_per_frame_here"], 3)
    return answer


def main(data: Path) -> None:
    found: dict[str, dict[str, float]] = {}
    for folder, count in SETS.items():
        files = sorted((data / folder).iterdir())[:count]
        found[folder] = compare(here, apart, files)
        print(folder, found[folder])
    with tempfile.TemporaryDirectory() as root:
        folder, count = next(iter(SETS.items()))
        images = as_images(sorted((data / folder).iterdir())[:count], Path(root))
        found[f"{folder} as JPEG"] = compare(images_here, images_apart, images)
        print(f"{folder} as JPEG", found[f"{folder} as JPEG"])
    write("isolation", __doc__, {"decoding": found})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    main(parser.parse_args().data)
