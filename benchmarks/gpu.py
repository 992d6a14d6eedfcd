"""Question: is the network right and deterministic on a GPU, what does TF32 do to it, and how fast is it?

Command:  python benchmarks/gpu.py
Time:     about 3 minutes on an H100; needs CUDA and the I3D weights (FVD_BENCH_I3D or the store).
Expected: every published number reproduced in float32; TF32 named by its fingerprint, and its constant-video FVDs
          closer to common_metrics' GPU list than those in float32; the same digits in every run; the score of CPU
          and GPU equal to about 1e-5.

Frame folders are scored, so neither av nor torch-fidelity is needed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from machine import write
from PIL import Image

from fvd_bench import demo, fingerprint, goldens, selftest, weights
from fvd_bench.evaluation import evaluate
from fvd_bench.extractors.arithmetic import float32_arithmetic
from fvd_bench.extractors.i3d_network import I3D
from fvd_bench.settings import Settings

LENGTHS = tuple(row.frames for row in goldens.CONSTANT_VIDEOS)
VIDEOS = 16
BATCH = 4
ROUNDS = 30


def constants(network: I3D, precision: str) -> dict[int, float]:
    with torch.inference_mode(), float32_arithmetic(precision):
        return fingerprint.measure(network, lengths=LENGTHS, device="cuda")


def gap_to_gpu_list(found: dict[int, float]) -> float:
    """Largest relative distance from the list that common_metrics publishes."""
    return max(abs(found[row.frames] / row.gpu - 1) for row in goldens.CONSTANT_VIDEOS)


def clips_per_second(network: I3D, precision: str) -> float:
    videos = torch.rand(BATCH, 3, 16, 224, 224, device="cuda") * 2 - 1
    times = []
    with torch.inference_mode(), float32_arithmetic(precision):
        for _ in range(ROUNDS):
            torch.cuda.synchronize()
            started = time.monotonic()
            network(videos)
            torch.cuda.synchronize()
            times.append(time.monotonic() - started)
    return BATCH / statistics.median(times[5:])


def write_frames(folder: Path, first_seed: int) -> Path:
    for seed in range(first_seed, first_seed + VIDEOS):
        (folder / str(seed)).mkdir(parents=True)
        for t, frame in enumerate(demo.moving_shapes(np.random.default_rng(seed))):
            Image.fromarray(frame).save(folder / str(seed) / f"{t}.png")
    return folder


def main() -> None:
    network = I3D.from_tensors(weights.load("i3d-kinetics-400").tensors).cuda()
    checks = selftest.run(full=True, device="cuda")
    float32, tf32 = constants(network, "float32"), constants(network, "tf32")
    with tempfile.TemporaryDirectory() as folder:
        real, fake = write_frames(Path(folder) / "real", 0), write_frames(Path(folder) / "fake", 100)
        scores = {
            f"{device}, {workers} workers": evaluate(
                real, fake, settings=Settings(device=device, cache=None, workers=workers)
            ).value
            for device, workers in (("cuda", 1), ("cuda", 4), ("cuda", 16), ("cpu", 8))
        }
    table = {
        "selftest": {"passed": sum(c.ok for c in checks), "checks": len(checks)},
        "selftest_failed": [c.name for c in checks if not c.ok],
        "diagnosis": {"float32": fingerprint.diagnose(float32).name, "tf32": fingerprint.diagnose(tf32).name},
        "gap_to_gpu_list": {"float32": gap_to_gpu_list(float32), "tf32": gap_to_gpu_list(tf32)},
        "constant_videos_tf32": tf32,
        "clips_per_second": {p: clips_per_second(network, p) for p in ("float32", "tf32")},
        "scores": scores,
    }
    print(table)
    write("gpu", __doc__, table, device="cuda")


if __name__ == "__main__":
    main()
