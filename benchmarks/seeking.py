"""Question: how much decoding does seeking spare, and are the frames exactly those that decoding from the start gives?

Command:  python benchmarks/seeking.py DATA
Time:     less than a minute on 2 cores.
Expected: every frame exact; of videos with several keyframes a half or less is decoded, in about as much less time.

Of each counted video 8 clips of 16 frames at places drawn by a seed are read, one after the other: by seeking, and by
`VideoFile` without an index, from the start. No frames are held, as of a video that is too long for that.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from machine import write

from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Pixels

FOLDERS = ("dev/long_mp4", "dev/odd")
CLIPS = 8
FRAMES = 16


def read(video: VideoFile, clips: list[Indices]) -> tuple[list[Pixels], int, float]:
    """The clips, how many frames were decoded for them, and seconds."""
    decoded, began = video.decoded, time.perf_counter()
    found = [np.stack([frame.pixels for frame in video.frames(clip)]) for clip in clips]
    return found, video.decoded - decoded, time.perf_counter() - began


def compare(file: Path, decoders: Decoders) -> dict[str, float]:
    sought, plain = VideoFile(file, decoders=decoders), VideoFile(file, decoders=decoders)
    length = sought.num_frames
    rng = np.random.default_rng(0)
    starts = rng.integers(0, max(length - FRAMES, 0) + 1, CLIPS)
    clips = [np.arange(start, min(start + FRAMES, length)) for start in starts]
    (a, frames_sought, seconds_sought), (b, frames_plain, seconds_plain) = read(sought, clips), read(plain, clips)
    return {
        "frames": length,
        "exact": all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)),
        "decoded_ratio": round(frames_sought / frames_plain, 3),
        "seconds_ratio": round(seconds_sought / seconds_plain, 3),
    }


def main(data: Path) -> None:
    decoders = Decoders(Limits(held_bytes=0))
    found: dict[str, dict[str, float]] = {}
    for file in [file for folder in FOLDERS for file in sorted((data / folder).iterdir())]:
        found[file.name] = compare(file, decoders)
        print(file.name, found[file.name])
    decoders.close()
    ratios = [row["decoded_ratio"] for row in found.values()]
    summary = {"exact": all(row["exact"] for row in found.values()), "decoded_ratio": round(float(np.mean(ratios)), 3)}
    print(summary)
    write("seeking", __doc__, {"all": summary, "videos": found})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    main(parser.parse_args().data)
