"""Question: does the network wait for the decoder?

Command:  python benchmarks/overlap.py [--device cuda] [--form jpg] [--tiny]
Time:     about 2 minutes on 2 cores.
Expected: a whole run takes hardly more than the slower of decoding and network, and less than both in turn.

On a CPU the network gets half of the cores here; otherwise it takes all, and there is nothing to decode beside it on.
The videos are H.264 of 300 frames at 256 x 256, of which a clip of 16 is drawn: about the most decoding per clip. Where
there is no av, `--form jpg` takes folders of 32 frames. `--tiny` is for rehearsals: few videos and no network, whose
numbers mean nothing.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from machine import parser, write
from PIL import Image

from fvd_bench import networks
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.protocols import protocol
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Pixels

VIDEOS = 32
FRAMES = {"mp4": 300, "jpg": 32}
SIDE = 256


def drifting_noise(seed: int, frames: int) -> list[Pixels]:
    """Return frames of noise that drifts, which cost a decoder something."""
    ground = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    return [np.roll(ground, (t, 2 * t), axis=(0, 1)) for t in range(frames)]


def write_jpg(folder: Path, frames: list[Pixels]) -> None:
    folder.mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{t:03d}.jpg", quality=95)


def write_mp4(file: Path, frames: list[Pixels]) -> None:
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "28"})
        stream.height, stream.width, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_side(folder: Path, form: str, seeds: range) -> Path:
    folder.mkdir()
    for seed in seeds:
        frames = drifting_noise(seed, FRAMES[form])
        if form == "mp4":
            write_mp4(folder / f"{seed}.mp4", frames)
        else:
            write_jpg(folder / f"{seed}", frames)
    return folder


def seconds(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return round(time.monotonic() - started, 2)


def main(device: str, form: str, tiny: bool) -> None:
    if device == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    videos = 2 if tiny else VIDEOS
    fvd16 = protocol.load("stylegan-v-fvd16")
    table = protocol.tomllib.loads(protocol.text("stylegan-v-fvd16"))
    table |= {"name": "decoding", "features": {"extractor": "pixels"}}  # no network: what is left is decoding
    decoding = protocol.parse(table, where="overlap")
    scoring = decoding if tiny else fvd16
    settings = Settings(device=device, cache=None)
    extractor = networks.create(scoring.features, device=device, weights={}, progress=lambda done, total: None)
    clips = [np.zeros((16, SIDE, SIDE, 3), dtype=np.uint8)] * (2 * videos)
    extractor(clips[:4])
    with tempfile.TemporaryDirectory() as folder:
        real = write_side(Path(folder) / "real", form, range(videos))
        fake = write_side(Path(folder) / "fake", form, range(1000, 1000 + videos))
        found = {
            "decoding": seconds(lambda: evaluate(real, fake, decoding, settings=settings)),
            "network": seconds(lambda: extractor(clips)),
            "both": seconds(lambda: evaluate(real, fake, scoring, settings=settings)),
        }
    found["both_over_slower"] = round(found["both"] / max(found["decoding"], found["network"]), 3)
    found["both_over_sum"] = round(found["both"] / (found["decoding"] + found["network"]), 3)
    print(found)
    measured = {"videos": 2 * videos, "form": form, "seconds": found, **({"tiny": True} if tiny else {})}
    write("overlap", __doc__, measured, device=device)


if __name__ == "__main__":
    options = parser("cpu")
    options.add_argument("--form", default="mp4", choices=list(FRAMES))
    main(**vars(options.parse_args()))
