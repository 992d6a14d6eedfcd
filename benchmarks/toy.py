"""Question: does the reference model learn, on a CPU, and does our own FVD see it?

Command:  python benchmarks/toy.py OUT [MINUTES]   (OUT: a folder for the run; the same command goes on from there)
Time:     20 minutes on 2 cores, or as many as are given; the first score takes 2 of them.
Expected: the `small` preset learns videos of moving shapes at 64²: FVD against them falls to 60 % or less of what
          the untrained generator scores.

Writes the curve, and checkpoints/small-shapes-64: the average generator of the best score in half precision, and the
settings of its run.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np
from machine import write
from PIL import Image

from fvd_bench import demo
from fvd_bench.evaluation import silent
from stylegan_v import checkpoint
from stylegan_v.evaluate import evaluate
from stylegan_v.generator import build_generator
from stylegan_v.run import Run, load_run
from stylegan_v.train import train

CHECKPOINT = Path(__file__).parent / "checkpoints" / "small-shapes-64.pt"

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


def write_videos(folder: Path) -> Path:
    """The demo's moving shapes as frame folders, JPEG of quality 95."""
    for seed in range(FIRST_SEED, FIRST_SEED + REAL_VIDEOS):
        video = folder / f"{seed}"
        if not video.exists():
            partial = folder / f".{seed}"
            partial.mkdir(parents=True, exist_ok=True)
            for t, frame in enumerate(demo.moving_shapes(np.random.default_rng(seed))):
                image = Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                image.save(partial / f"{t:06d}.jpg", quality=95)
            partial.rename(video)
    return folder


def untrained(run: Run, features: Path) -> float | None:
    """FVD of the generator that training begins with."""
    generator = build_generator(run.model, seed=run.train.seed).eval().requires_grad_(False)
    result = evaluate(
        generator,
        run.data.path,
        videos=FAKE_VIDEOS,
        fps=run.data.fps,
        protocol=run.report.protocol,
        features=features,
    )
    return result.value


def main() -> None:
    out, minutes = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    began = time.monotonic()
    data = write_videos(out / "videos")
    run = load_run(None, {**SETTINGS, "data": {"path": str(data)}})
    first = untrained(run, out / "run" / "features")
    assert first is not None
    left = minutes - (time.monotonic() - began) / 60
    kimg = train(run, out / "run", device="cpu", workers=1, minutes=left, progress=silent)
    lines = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    curve = [[0.0, first]] + [[line["kimg"], line["fvd"]] for line in lines if "fvd" in line]
    best = min(fvd for _, fvd in curve)
    found = checkpoint.load(out / "run" / "best.pt").for_sampling()
    checkpoint.save(found, CHECKPOINT)
    settings = dataclasses.replace(run, data=dataclasses.replace(run.data, path=""))
    CHECKPOINT.with_suffix(".toml").write_text(settings.to_toml(), "utf-8")
    seconds = float(np.median([line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]))
    print(f"FVD {first:.1f} untrained, {best:.1f} at best, after {kimg:.1f} kimg")
    write(
        "toy",
        __doc__,
        {
            "run": {**run.as_dict(), "data": {"videos": REAL_VIDEOS}},
            "kimg": kimg,
            "seconds_per_kimg": seconds,
            "untrained": first,
            "best": best,
            "curve": curve,
        },
    )
    assert best < 0.6 * first, "it did not learn"


if __name__ == "__main__":
    main()
