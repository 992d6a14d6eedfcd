"""Question: does the reference model learn, on a CPU, and does our own FVD see it?

Command:  python benchmarks/toy.py OUT [MINUTES]   (OUT: a folder for the run; the same command goes on from there)
Time:     20 minutes on 2 cores, or as many as are given; the first score takes 2 of them.
Expected: the `small` preset learns videos of moving shapes at 64²: FVD against them falls to 60 % or less of what
          the untrained generator scores.

Writes the curve, and checkpoints/small-shapes-64: the average generator of the best score in half precision, and the
settings of its run.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from learning import learn
from PIL import Image

from fvd_bench.evaluation import demo
from stylegan_v.training.run import load_run

SIDE = 64
REAL_VIDEOS, FAKE_VIDEOS = 256, 128
FIRST_SEED = 1000
"""The videos are others than those of the demo, which is scored against."""

SETTINGS = {
    "model": {"preset": "small", "resolution": SIDE},
    # Not augmented: nothing learns 256 videos by heart in minutes, and on a CPU that would take most of them.
    "train": {"batch": 8, "kimg": 1000.0, "ema_kimg": 0.5, "r1_gamma": 20.0, "ada": False},
    "report": {"tick_kimg": 0.48, "snapshot_kimg": 2.4, "fvd_kimg": 7.2, "fvd_videos": FAKE_VIDEOS},
}


def write_videos(
    folder: Path,
    *,
    first_seed: int = FIRST_SEED,
    videos: int = REAL_VIDEOS,
    side: int = SIDE,
    frames: int = demo.FRAMES,
) -> Path:
    """The demo's moving shapes as frame folders, JPEG of quality 95."""
    for seed in range(first_seed, first_seed + videos):
        video = folder / f"{seed}"
        if not video.exists():
            partial = folder / f".{seed}"
            partial.mkdir(parents=True, exist_ok=True)
            for t, frame in enumerate(demo.moving_shapes(np.random.default_rng(seed), frames=frames)):
                image = Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS)
                image.save(partial / f"{t:06d}.jpg", quality=95)
            partial.rename(video)
    return folder


def main() -> None:
    out, minutes = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    began = time.monotonic()
    data = write_videos(out / "videos")
    run = load_run(None, {**SETTINGS, "data": {"path": str(data)}})
    left = minutes - (time.monotonic() - began) / 60
    first, best = learn(
        "toy", __doc__, [run], out, minutes=left, videos=REAL_VIDEOS, checkpoint_name=f"small-shapes-{SIDE}"
    )
    assert best < 0.6 * first, "it did not learn"


if __name__ == "__main__":
    main()
