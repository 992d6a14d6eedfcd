"""Question: is the network right and deterministic on a GPU, and what does TF32 do to it?

Command:  python benchmarks/gpu.py [--device cpu] [--tiny]
Time:     a minute on an H100, we think; needs the I3D weights (FVD_BENCH_I3D or the store).
Expected: every published number reproduced in float32; TF32 named by its fingerprint, and its constant-video FVDs
          closer to common_metrics' GPU list than those in float32; the same digits in every run; the score of CPU
          and GPU equal to about 1e-5.

Frame folders are scored, so neither av nor torch-fidelity is needed. The result is written again after each of its
parts. `--tiny` is for rehearsals: as little as there is, whose numbers mean nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import parser, write
from PIL import Image

from fvd_bench.evaluation import demo, selftest
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.networks import fingerprint, goldens, weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.i3d_network import I3D
from fvd_bench.settings import Settings

LENGTHS = tuple(row.frames for row in goldens.CONSTANT_VIDEOS)
VIDEOS = 16


def published(device: str, tiny: bool) -> dict[str, Any]:
    """How many of the published numbers are reproduced, and which are not."""
    if tiny:
        network = I3D.from_tensors(weights.load("i3d-kinetics-400").tensors).to(device)
        row = min(goldens.LOGITS, key=lambda row: row.clips * row.frames)
        checks = tuple(selftest.logits_checks(network, row, device=device))
    else:
        checks = selftest.run(full=True, device=device)
    failed = [c.name for c in checks if not c.ok]
    return {"selftest": {"passed": len(checks) - len(failed), "checks": len(checks)}, "selftest_failed": failed}


def fingerprints(device: str, tiny: bool) -> dict[str, Any]:
    """What float32 and TF32 do to FVDs of constant videos."""
    network = I3D.from_tensors(weights.load("i3d-kinetics-400").tensors).to(device)
    found: dict[str, dict[int, float]] = {}
    for precision in ("float32", "tf32"):
        with torch.inference_mode(), float32_arithmetic(precision):
            found[precision] = fingerprint.measure(network, lengths=LENGTHS[: 1 if tiny else None], device=device)
    return {
        "diagnosis": {precision: fingerprint.diagnose(row).name for precision, row in found.items()},
        "gap_to_gpu_list": {precision: gap_to_gpu_list(row) for precision, row in found.items()},
        "constant_videos_tf32": found["tf32"],
    }


def gap_to_gpu_list(found: dict[int, float]) -> float:
    """Largest relative distance from the list that common_metrics publishes."""
    return max(abs(found[row.frames] / row.gpu - 1) for row in goldens.CONSTANT_VIDEOS if row.frames in found)


def scores(device: str, tiny: bool) -> dict[str, Any]:
    """The score of the same videos by numbers of workers, and on the CPU."""
    videos = 2 if tiny else VIDEOS
    runs = [(device, 1), (device, 4), (device, 16), ("cpu", 8)][: 1 if tiny else None]
    with tempfile.TemporaryDirectory() as folder:
        real = write_frames(Path(folder) / "real", range(videos))
        fake = write_frames(Path(folder) / "fake", range(100, 100 + videos))
        return {
            "scores": {
                f"{where}, {workers} workers": evaluate(
                    real, fake, settings=Settings(device=where, cache=None, workers=workers)
                ).value
                for where, workers in runs
            }
        }


def write_frames(folder: Path, seeds: range) -> Path:
    for seed in seeds:
        (folder / str(seed)).mkdir(parents=True)
        for t, frame in enumerate(demo.moving_shapes(np.random.default_rng(seed))):
            Image.fromarray(frame).save(folder / str(seed) / f"{t}.png")
    return folder


def main() -> None:
    arguments = parser().parse_args()
    table: dict[str, Any] = {"tiny": True} if arguments.tiny else {}
    for part in (published, fingerprints, scores):
        found = part(arguments.device, arguments.tiny)
        print(found)
        table |= found
        write("gpu", __doc__, table, device=arguments.device)


if __name__ == "__main__":
    main()
