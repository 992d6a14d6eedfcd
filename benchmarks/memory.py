"""Question: does memory grow with the number of videos?

Command:  python benchmarks/memory.py
Time:     about 8 minutes on 2 cores.
Expected: peak resident memory for 1024 videos within 10 % of that for 64.

Each run is a process of its own: `fvd-bench compute` with the real I3D on videos written for it, nothing stored.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import write

from fvd_bench.evaluation import demo

COUNTS = (64, 1024)
FAKES = 16


def write_videos(folder: Path, count: int) -> Path:
    """Short mp4 files of moving shapes."""
    folder.mkdir()
    for seed in range(count):
        demo.write_mp4(folder / f"{seed:04d}.mp4", demo.moving_shapes(np.random.default_rng(seed)))
    return folder


def peak(real: Path, fake: Path) -> dict[str, float]:
    """Peak resident memory in MiB, and seconds, of one run."""
    command = [sys.executable, "-m", "fvd_bench", "compute", "--real", str(real), "--fake", str(fake)]
    command += ["--no-cache", "--device", "cpu"]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, "the run failed"
    return {"peak_mib": round(usage.ru_maxrss / 1024, 1), "seconds": round(time.monotonic() - started, 1)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        fake = write_videos(Path(folder) / "fake", FAKES)
        runs = []
        for count in COUNTS:
            runs.append({"real_videos": count, **peak(write_videos(Path(folder) / str(count), count), fake)})
            print(runs[-1])
    growth = runs[-1]["peak_mib"] / runs[0]["peak_mib"] - 1
    print(f"memory grows by {growth:.1%}")
    write("memory", __doc__, {"runs": runs, "growth": growth})


if __name__ == "__main__":
    main()
