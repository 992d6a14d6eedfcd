"""Question: what does training the reference model cost on a GPU, and how good does it get in minutes?

Command:  python benchmarks/train_gpu.py DATA OUT   (DATA: folder of frame folders of 128²; OUT: kept between calls)
Time:     20 minutes on an H100, in calls of at most 8 minutes: repeat the command until it says that all is done.
Expected: a step of `release` costs little more than one of an image StyleGAN2 on as many images of the same build
          (the paper says 1.05), one of `paper` more. FVD falls while `small` and `release` train.

Needs the weights of I3D (the store, or FVD_BENCH_I3D=FILE), and neither av nor torch-fidelity. Besides the results it
leaves OUT/sheet-PRESET.jpg and OUT/small.pt, the best small generator in half precision.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import write

from fvd_bench.evaluation import silent
from stylegan_v import checkpoint
from stylegan_v.config import ModelConfig, model_config
from stylegan_v.data import Batch, VideoDataset
from stylegan_v.generator import build_generator
from stylegan_v.motion import keyed_noise
from stylegan_v.run import Run, TrainRun, load_run
from stylegan_v.train import train, training_arithmetic
from stylegan_v.trainer import Trainer

DEVICE = torch.device("cuda")
SIDE, BATCH = 128, 64
CALL_MINUTES = 8.0
MINUTES = {"small": 6.0, "release": 7.5}
AUGMENTED = 0.1
"""Probability of augmentation while steps are timed, so that its cost is counted."""


def models() -> dict[str, tuple[ModelConfig, int]]:
    """What is timed: model and batch, each of 192 frames a step."""
    clips = {name: (model_config(name, resolution=SIDE), BATCH) for name in ("release", "paper", "small")}
    return {"image StyleGAN2": (model_config("image", resolution=SIDE), 3 * BATCH), **clips}


def cost(data: Path) -> dict[str, dict[str, float]]:
    """Seconds per frame of training, peak memory, and frames per second of generation, of each model."""
    found = {}
    for name, (model, batch) in models().items():
        dataset = VideoDataset.open(data, resolution=SIDE, frames=model.frames)
        trainer = Trainer(Run(model=model, train=TrainRun(batch=batch)), dataset, DEVICE)
        trainer.probability.p = AUGMENTED
        clips = torch.randint(0, 256, (batch, model.frames, 3, SIDE, SIDE), dtype=torch.uint8)
        times = torch.arange(model.frames).repeat(batch, 1).double()
        fixed = Batch(clips, times, torch.zeros(batch, 0))
        torch.cuda.reset_peak_memory_stats()
        for _ in range(17):  # with R1 once
            trainer.step(fixed)
        seconds = timed(lambda trainer=trainer, fixed=fixed: [trainer.step(fixed) for _ in range(16)])
        found[name] = {
            "seconds_per_frame": seconds / (16 * batch * model.frames),
            "training_frames_per_second": 16 * batch * model.frames / seconds,
            "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30,
            "generated_frames_per_second": generation(model),
        }
        print(name, found[name], flush=True)
        del trainer
        torch.cuda.empty_cache()
    baseline = found["image StyleGAN2"]["seconds_per_frame"]
    for row in found.values():
        row["against_image_stylegan2"] = row["seconds_per_frame"] / baseline
    return found


def generation(model: ModelConfig) -> float:
    """Frames per second, 64 at a time, in half precision."""
    generator = build_generator(model).to(DEVICE).eval().requires_grad_(False)
    generator.use_half(torch.float16)
    w = generator.styles(torch.randn(1, model.z_dim, device=DEVICE))
    noise = keyed_noise(0, torch.tensor([0], device=DEVICE), model.noise_dim)
    times = torch.arange(64.0, device=DEVICE)[None]

    def render() -> None:
        for _ in range(10):
            generator.render(w, times, noise)

    render()
    return 640 / timed(render)


def timed(work: Callable[[], object]) -> float:
    """Median seconds of three rounds."""
    seconds = []
    for _ in range(3):
        torch.cuda.synchronize()
        began = time.monotonic()
        work()
        torch.cuda.synchronize()
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def run_of(preset: str, data: Path) -> Run:
    """A training run of a preset, scored every hundred thousand frames."""
    return load_run(
        None,
        {
            "model": {"preset": preset, "resolution": SIDE},
            "data": {"path": str(data)},
            "train": {"batch": BATCH},
            "report": {"tick_kimg": 10.0, "snapshot_kimg": 50.0, "fvd_kimg": 100.0, "fvd_videos": 256},
        },
    )


def learn(preset: str, data: Path, out: Path, minutes: float) -> bool:
    """Train for some minutes of those that a preset has; whether they are used up."""
    used = out / f"{preset}.seconds"
    before = float(used.read_text()) if used.exists() else 0.0
    began = time.monotonic()
    left = min(minutes, MINUTES[preset] - before / 60)
    train(run_of(preset, data), out / preset, device="cuda", workers=12, minutes=left, progress=silent)
    used.write_text(str(before + time.monotonic() - began))
    return float(used.read_text()) > 60 * MINUTES[preset] - 30


def collect(data: Path, out: Path) -> None:
    """Write the results, the sheets and the small generator."""
    results: dict[str, Any] = {"cost": json.loads((out / "cost.json").read_text()), "training": {}}
    for preset in MINUTES:
        lines = [json.loads(line) for line in (out / preset / "log.jsonl").read_text().splitlines()]
        speeds = [line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]
        results["training"][preset] = {
            "run": {**run_of(preset, data).as_dict(), "data": {"name": data.name}},
            "kimg": lines[-1]["kimg"],
            "minutes": float((out / f"{preset}.seconds").read_text()) / 60,
            "frames_per_second": 1000 / statistics.median(speeds),
            "peak_memory_gib": max(line.get("peak_memory_gib", 0.0) for line in lines),
            "curve": [[line["kimg"], line["fvd"]] for line in lines if "fvd" in line],
        }
        sheet = max((out / preset / "samples").glob("fakes-*.jpg"))
        shutil.copy(sheet, out / f"sheet-{preset}.jpg")
    checkpoint.save(checkpoint.load(out / "small" / "best.pt").for_sampling(), out / "small.pt")
    write("training", __doc__, results, device="cuda")


def main() -> None:
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "cost.json").exists():
        with training_arithmetic():
            costs = cost(data)
        (out / "cost.json").write_text(json.dumps(costs))
    for preset in MINUTES:
        left = CALL_MINUTES - (time.monotonic() - began) / 60
        done = out / f"{preset}.done"
        if not done.exists():
            if left < 1 or not learn(preset, data, out, left):
                print("not done yet: the same command goes on")
                return
            done.touch()
    collect(data, out)
    print("all is done")


if __name__ == "__main__":
    main()
