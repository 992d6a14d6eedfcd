"""Question: what do a thousand, ten thousand and a million clips cost, and does a model of the parts predict it?

Command:  python benchmarks/scale.py
Time:     about 3 minutes on 2 cores.
Expected: the model within 25 % of what is measured at 1,000 and 10,000 videos.

A decoder is simulated: it waits, as one that runs beside us does, and gives frames of one colour each. The network is
`pixels`, which costs next to nothing. So what is measured is all that is done for a clip besides decoding and network:
digest, draw, copies, batches, store, statistics. The model takes two of its numbers from small runs, at 200 and 400
videos, and predicts the larger ones. What a million clips cost is extrapolated: our own work as predicted, the network
and the decoder as `throughput.py` and `overlap.py` measured them on this machine, at the prices below.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import result_file, write

from fvd_bench.evaluation.statistics.making import make_moments
from fvd_bench.settings import Settings
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame

FRAMES, SIZE, WORKERS = 16, 32, 2
SMALL, LARGE = (200, 400), (1_000, 10_000)
DECODERS = {"free": 0.0, "slow": 0.01}
"""Seconds that a video takes in a decoder."""

MILLION = 1_000_000
DOLLARS = {"core_hour": 0.04}
"""What is taken for the price of one processor core for an hour: about that of large cloud providers in 2026."""

PROTOCOL = f"""
name = "scale"
version = 1
summary = "{FRAMES} frames of a simulated video"
source = "benchmarks/scale.py"

[clip]
frames = {FRAMES}
start = {{ real = "first", fake = "first" }}

[features]
extractor = "pixels"

[metric]
names = ["fvd"]
"""


class SimulatedVideo:
    """A video whose frames appear after a while."""

    num_frames = FRAMES

    def __init__(self, number: int, seconds: float) -> None:
        self._number, self._seconds = number, seconds

    def frames(self, indices: Indices) -> Iterator[Frame]:
        time.sleep(self._seconds)
        rng = np.random.default_rng(self._number)
        for colour in rng.integers(0, 256, (len(indices), 3), dtype=np.uint8):
            yield Frame(np.broadcast_to(colour, (SIZE, SIZE, 3)))

    def content(self) -> str:
        return hashlib.sha256(str(self._number).encode()).hexdigest()

    def state(self) -> str:
        return self.content()


class Simulated:
    """A side of simulated videos."""

    name, kind, notes = "simulated", "simulated videos", ()

    def __init__(self, count: int, seconds: float) -> None:
        self.names = [f"{number:08d}" for number in range(count)]
        self._seconds = seconds

    def video(self, index: int) -> SimulatedVideo:
        return SimulatedVideo(index, self._seconds)


def cost(count: int, decoder: float, protocol: str) -> tuple[float, float]:
    """Seconds that the statistics of so many videos take, with a store on disk, and those of a processor."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(cache=folder, device="cpu", workers=WORKERS)
        begun, used = time.monotonic(), time.process_time()
        file = make_moments(Simulated(count, decoder), "real", protocol, settings=settings)
        assert file.pieces.count == count
        return time.monotonic() - begun, time.process_time() - used


def processor_seconds(protocol: str) -> float:
    """What we use of a processor for each video, beyond what a run needs to begin."""
    (few, short), (many, long) = ((count, cost(count, 0.0, protocol)[1]) for count in SMALL)
    return (long - short) / (many - few)


def model(measured: dict[int, float], decoder: float) -> tuple[float, float]:
    """The seconds to begin, and those of each video beyond: our own work, or the decoders' where that is longer."""
    (few, short), (many, long) = sorted(measured.items())
    each = max((long - short) / (many - few), decoder / WORKERS)
    return max(0.0, short - few * each), each


def result_of(name: str) -> dict[str, Any]:
    """What another script measured on this machine."""
    file = result_file(name, ".json", "cpu")
    if not file.exists():
        sys.exit(f"{file} is not there: run {name}.py first")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def million(own: float, speed: dict[str, Any], overlap: dict[str, Any]) -> dict[str, Any]:
    """What a million clips of I3D cost on cores like these, extrapolated. own: seconds of ours for a clip."""
    cores = speed["threads"]
    parts = {
        "network": cores / max(rate for name, rate in speed["clips_per_second"].items() if "fvd-bench" in name),
        "decoding": cores * overlap["seconds"]["decoding"] / overlap["videos"],
        "our own work": own,
    }
    hours = sum(parts.values()) * MILLION / 3600
    return {
        "core_seconds_per_clip": {name: round(part, 5) for name, part in parts.items()},
        "core_hours": round(hours),
        "dollars": round(hours * DOLLARS["core_hour"]),
        "prices": DOLLARS,
    }


def main() -> None:
    speed, overlap = result_of("throughput"), result_of("overlap")
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        protocol = Path(folder) / "scale.toml"
        protocol.write_text(PROTOCOL)
        cost(SMALL[0], 0.0, str(protocol))  # whatever is loaded once
        for name, decoder in DECODERS.items():
            small = {count: cost(count, decoder, str(protocol))[0] for count in SMALL}
            begin, each = model(small, decoder)
            for count in LARGE:
                found, _ = cost(count, decoder, str(protocol))
                predicted = begin + count * each
                runs.append({
                    "decoder": name, "videos": count, "seconds": round(found, 2),
                    "predicted": round(predicted, 2), "ratio": round(found / predicted, 3),
                })  # fmt: skip
                print(runs[-1], flush=True)
        own = processor_seconds(str(protocol))
    write(
        "scale", __doc__, {"runs": runs, "million": million(own, speed, overlap), "frames": FRAMES, "workers": WORKERS}
    )


if __name__ == "__main__":
    main()
