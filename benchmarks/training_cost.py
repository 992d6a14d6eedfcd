"""Question: what does a step of training cost, by preset and option, and against an image StyleGAN2?

Command:  python benchmarks/training_cost.py [--device cpu] [--tiny]
Time:     three minutes on an H200, we think.
Expected: a step of `release` costs little more than one of an image StyleGAN2 on as many images (the paper says 1.05
          times), one of `paper` more, one of `middle` a third.

96 frames a step at 128², half precision as in training on a GPU, augmentation at work, R1 in every sixteenth step, and
of one preset which operations take a step's time. The result is written again after each model. `--tiny` is for
rehearsals: as little as there is, whose numbers mean nothing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import parser, write
from PIL import Image

from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.methods.settings import TrainRun
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.networks.config import ModelConfig, model_config
from stylegan_v.networks.generator import build_generator, half_precision
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.training.loop import training_arithmetic
from stylegan_v.training.run import Run

PRESETS = ("image", "release", "middle", "paper")
BASELINE = "image"
OPTIONS: tuple[dict[str, Any], ...] = ({"tf32": True}, {"cuda_graphs": True}, {"compile": True})
"""Options of a training on a GPU, each tried on the preset below; those that may take long to begin stand last."""

OPTIONS_OF = "middle"
SIDE = 128
FRAMES_PER_STEP = 96
AUGMENTED = 0.1
"""Probability of augmentation while steps are timed, so that its cost is counted."""

SECONDS = 6.0
"""For the timed steps of a model, after those that warm it up; a round of them is finished at least."""

MOST_ROUNDS = 5
WARM_UP = 3
"""Steps with R1 and without it, in turns, before any is timed: a CUDA graph of either is recorded in its third."""

COSTLIEST = 15
"""Operations that are named, of those that take a step's time."""

RENDERED = 64
"""Frames of the videos that are generated, at a time."""

TINY: dict[str, Any] = {
    "resolution": 32, **dict.fromkeys(("z_dim", "w_dim", "noise_dim", "u_dim", "channel_max", "time_dim"), 8)
}  # fmt: skip


def cost(
    model: ModelConfig, options: dict[str, Any], videos: Path, device: torch.device, *, tiny: bool
) -> dict[str, Any]:
    """Seconds per frame of training, peak memory, and frames per second of generation. options: of TrainRun."""
    batch = (12 if tiny else FRAMES_PER_STEP) // model.frames
    dataset = VideoDataset.open(videos, resolution=model.resolution, frames=model.frames)
    train = TrainRun(batch=batch, r1_interval=1 if tiny else 16, **options)
    trainer = StyleTrainer(Run(model=model, train=train), dataset, device)
    trainer.probability.p = AUGMENTED
    clips = torch.randint(0, 256, (batch, model.frames, 3, model.resolution, model.resolution), dtype=torch.uint8)
    fixed = Batch(clips, torch.arange(model.frames).repeat(batch, 1).double(), torch.zeros(batch, 0))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def work(steps: int = train.r1_interval) -> None:
        """Take steps of which the first has R1."""
        trainer.steps = 0
        for _ in range(steps):
            trainer.step(fixed)

    for _ in range(WARM_UP):
        timed(lambda: work(2), device)
    rounds = [timed(work, device)]
    while sum(rounds) < SECONDS and len(rounds) < (1 if tiny else MOST_ROUNDS):
        rounds.append(timed(work, device))
    seconds = statistics.median(rounds) / (train.r1_interval * batch * model.frames)
    found: dict[str, Any] = {"batch": batch, "rounds": len(rounds)}
    found |= {"seconds_per_frame": seconds, "frames_per_second": 1 / seconds}
    if device.type == "cuda":
        found["peak_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
    if model.preset == OPTIONS_OF and not options:
        found["share of operations"] = costliest(lambda: trainer.step(fixed), device)
    return {**found, "generated_frames_per_second": generation(model, device, frames=4 if tiny else RENDERED)}


def costliest(work: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Return the shares of PyTorch's operations in the time that a device takes for some work, the largest first."""
    activity = torch.profiler.ProfilerActivity
    on_gpu = device.type == "cuda"
    with torch.profiler.profile(activities=[activity.CPU, *([activity.CUDA] if on_gpu else [])]) as profiler:
        timed(work, device)
    operations = [row for row in profiler.key_averages() if row.device_type == torch.autograd.DeviceType.CPU]
    times = {row.key: row.self_device_time_total if on_gpu else row.self_cpu_time_total for row in operations}
    whole = sum(times.values())
    return {name: times[name] / whole for name in sorted(times, key=lambda name: -times[name])[:COSTLIEST]}


def generation(model: ModelConfig, device: torch.device, *, frames: int) -> float:
    """Frames of a video per second, so many at a time, in half precision on a GPU."""
    generator = build_generator(model).to(device).eval().requires_grad_(False)
    generator.use_half(half_precision("auto", device))
    w = generator.styles(torch.randn(1, model.z_dim, device=device))
    noise = keyed_noise(0, torch.tensor([0], device=device), model.noise_dim)
    times = torch.arange(float(frames), device=device)[None]
    timed(lambda: generator.render(w, times, noise), device)
    return 10 * frames / timed(lambda: [generator.render(w, times, noise) for _ in range(10)], device)


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds until the device has done some work."""
    began = time.monotonic()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()  # as at the end of what was timed before
    return time.monotonic() - began


def one_video(folder: Path, side: int) -> Path:
    """A training set, of which steps take nothing but its length."""
    (folder / "video").mkdir()
    for t in range(64):
        Image.fromarray(np.zeros((side, side, 3), dtype=np.uint8)).save(folder / "video" / f"{t:02d}.jpg")
    return folder


def main() -> None:
    arguments = parser().parse_args()
    device = torch.device(arguments.device)
    table: dict[str, Any] = {"tiny": True} if arguments.tiny else {}
    models: dict[str, dict[str, Any]] = {}
    runs: list[tuple[str, dict[str, Any]]] = [(preset, {}) for preset in PRESETS]
    if device.type == "cuda":
        runs += [(OPTIONS_OF, options) for options in OPTIONS]
    with tempfile.TemporaryDirectory() as folder:
        videos = one_video(Path(folder), TINY["resolution"] if arguments.tiny else SIDE)
        for preset, options in runs:
            model = model_config(preset, **(TINY if arguments.tiny else {"resolution": SIDE}))
            name = ", ".join([preset, *options])
            try:
                with training_arithmetic(tf32=options.get("tf32", False)):
                    models[name] = cost(model, options, videos, device, tiny=arguments.tiny)
                if baseline := models[BASELINE].get("frames_per_second"):
                    models[name][f"against_{BASELINE}"] = baseline / models[name]["frames_per_second"]
            except RuntimeError as error:  # out of memory for one: the others are measured all the same
                models[name] = {"failed": f"{type(error).__name__}: {error}"}
            print(name, models[name])
            write("training-cost", __doc__, {**table, "models": models}, device=arguments.device)
            if device.type == "cuda":
                torch.cuda.empty_cache()
    if any("failed" in row for row in models.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
