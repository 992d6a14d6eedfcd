"""Question: does memory grow with the number of videos?

Command:  python benchmarks/memory.py [--short]
Time:     about 8 minutes on 2 cores; with --short, about 3.
Expected: peak resident memory for 1024 videos within 10 % of that for 64; with --short, that of all processes for
          10,000 within 15 %.

Each run is a process of its own: `fvd-bench compute` with the real I3D on videos written for it, nothing stored. With
--short, there are more videos, of 9 frames of 32 by 32 pixels, the network is `pixels`, the store is on disk, and the
memory of the processes that decode is counted too: what they share is counted in each.
"""

from __future__ import annotations

import argparse
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
SHORT_COUNTS = (64, 10_000)
FAKES = 16
PROTOCOL = """
name = "short"
version = 1
summary = "9 frames, means of pixels"
source = "benchmarks/memory.py"

[clip]
frames = 9
start = { real = "random", fake = "first" }

[features]
extractor = "pixels"

[metric]
names = ["fvd"]
"""


def write_videos(folder: Path, count: int) -> Path:
    """Short mp4 files of moving shapes."""
    folder.mkdir()
    for seed in range(count):
        demo.write_mp4(folder / f"{seed:04d}.mp4", demo.moving_shapes(np.random.default_rng(seed)))
    return folder


def write_short_videos(folder: Path, count: int) -> Path:
    """Tiny mp4 files: of 16 kinds, each with another empty box at its end, so that no two are the same."""
    folder.mkdir()
    for kind in range(16):
        demo.write_mp4(folder / "kind.mp4", demo.moving_shapes(np.random.default_rng(kind))[:9, :32, :32])
        whole = (folder / "kind.mp4").read_bytes()
        for number in range(kind, count, 16):
            box = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
            (folder / f"{number:05d}.mp4").write_bytes(whole + box)
    (folder / "kind.mp4").unlink()
    return folder


def peak(real: Path, fake: Path, *more: str) -> dict[str, float]:
    """Return the peak resident memory of one run in MiB, of its first process and of all, and its seconds."""
    command = [sys.executable, "-m", "fvd_bench", "compute", "--real", str(real), "--fake", str(fake)]
    command += ["--device", "cpu", *more]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        most = max(most, resident(process.pid))
        time.sleep(0.05)
    assert status == 0, "the run failed"
    first = usage.ru_maxrss / 1024
    return {
        "peak_mib": round(first, 1),
        "all_peak_mib": round(max(first, most / 1024), 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def resident(process: int) -> int:
    """Return how many KiB a process and those that it started have in memory now."""
    total, waiting = 0, [process]
    while waiting:
        place = Path("/proc") / str(waiting.pop())
        try:
            total += next(
                int(line.split()[1]) for line in (place / "status").read_text().splitlines() if "VmRSS" in line
            )
            for task in (place / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):  # it has just ended
            continue
    return total


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true", help="10,000 tiny videos")
    short = options.parse_args().short
    with tempfile.TemporaryDirectory() as folder:
        writing = write_short_videos if short else write_videos
        fake, runs = writing(Path(folder) / "fake", FAKES), []
        (Path(folder) / "short.toml").write_text(PROTOCOL)
        for count in SHORT_COUNTS if short else COUNTS:
            store = ["--cache", str(Path(folder) / f"store-{count}"), "--protocol", str(Path(folder) / "short.toml")]
            found = peak(writing(Path(folder) / str(count), count), fake, *(store if short else ["--no-cache"]))
            runs.append({"real_videos": count, **found})
            print(runs[-1], flush=True)
    growth = runs[-1]["all_peak_mib"] / runs[0]["all_peak_mib"] - 1
    print(f"memory grows by {growth:.1%}")
    write("memory-short" if short else "memory", __doc__, {"runs": runs, "growth": growth})


if __name__ == "__main__":
    main()
