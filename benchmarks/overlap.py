"""Question: does the network wait for the decoder?

Command:  python benchmarks/overlap.py [--device cuda]
Time:     about 2 minutes on 2 cores.
Expected: a whole run takes hardly more than the slower of decoding and network, and less than both in turn.

On a CPU the network gets half of the cores here; otherwise it takes all, and there is nothing to decode beside it on.
The videos are H.264 of 300 frames at 256 x 256, of which a clip of 16 is drawn: about the most decoding per clip.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from machine import write

from fvd_bench import extractors, protocol
from fvd_bench.evaluation import evaluate
from fvd_bench.settings import Settings

VIDEOS = 32
FRAMES = 300
SIDE = 256


def write_video(file: Path, seed: int) -> None:
    """Drifting noise, which costs an H.264 decoder something."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "28"})
        stream.height, stream.width, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for t in range(FRAMES):
            frame = np.roll(ground, (t, 2 * t), axis=(0, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def seconds(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return round(time.monotonic() - started, 2)


def main(device: str) -> None:
    if device == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    fvd16 = protocol.load("stylegan-v-fvd16")
    table = protocol.tomllib.loads(protocol.text("stylegan-v-fvd16"))
    table |= {"name": "decoding", "features": {"extractor": "pixels"}}  # no network: what is left is decoding
    decoding = protocol.parse(table, where="overlap")
    settings = Settings(device=device, cache=None)
    extractor = extractors.create(fvd16.features, device=device, weights={}, progress=lambda done, total: None)
    clips = [np.zeros((16, SIDE, SIDE, 3), dtype=np.uint8)] * (2 * VIDEOS)
    extractor(clips[:4])
    with tempfile.TemporaryDirectory() as folder:
        for side in ("real", "fake"):
            (Path(folder) / side).mkdir()
            for seed in range(VIDEOS):
                write_video(Path(folder) / side / f"{seed}.mp4", seed + 1000 * (side == "fake"))
        real, fake = Path(folder) / "real", Path(folder) / "fake"
        found = {
            "decoding": seconds(lambda: evaluate(real, fake, decoding, settings=settings)),
            "network": seconds(lambda: extractor(clips)),
            "both": seconds(lambda: evaluate(real, fake, fvd16, settings=settings)),
        }
    found["both_over_slower"] = round(found["both"] / max(found["decoding"], found["network"]), 3)
    found["both_over_sum"] = round(found["both"] / (found["decoding"] + found["network"]), 3)
    print(found)
    write("overlap", __doc__, {"videos": 2 * VIDEOS, "seconds": found}, device=device)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    main(parser.parse_args().device)
