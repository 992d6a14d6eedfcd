"""Question: how much faster is a training step on a CPU than it was, and are its numbers the same?

Command:  taskset -c 1 python benchmarks/train_cpu.py [ROUNDS]   (in a clone with its whole history)
Time:     5 minutes on an idle core for the default of 5 rounds.
Expected: losses of both networks and all their gradients are the same but for rounding, 1e-3 at most. A step takes less
          processor time than it took at commit abcc8b0, though not two thirds of it: docs/model.md says what bounds it.

Both states of the code run beside each other in processes of one thread that take turns step by step, so that what
else the machine does slows down both. A round is three steps of either, one of which has R1, counted as once in 16
steps. Ratios compare the two states in one round. They and other figures are medians over rounds. As times of clips
and the centre of augmentation are drawn otherwise since, numbers are those of both networks on the same clips.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from history import ROOT, unpack
from PIL import Image

BEFORE = "abcc8b0"
BATCH, FRAMES, SIDE = 8, 3, 64
STEPS, R1_INTERVAL = 3, 16
NUMBERED_STEPS, RATE = 2, 1e-3
PROBABILITIES = {"plain": 0.0, "augmented": 0.3}


def before() -> bool:
    """Return whether this process has the code as it was, all of whose modules stood beside each other."""
    import stylegan_v

    return not (Path(stylegan_v.__path__[0]) / "training").exists()


def module(name: str) -> Any:
    """Return a module of the model, by the name that it has now."""
    flat = {"data.clips": "data"}.get(name, name.partition(".")[2])
    return importlib.import_module(f"stylegan_v.{flat if before() else name}")


def numbers() -> dict[str, float]:
    """Losses, and norms of the gradients of every parameter, of the first steps of both networks on the same clips.

    Between them is plain gradient descent: Adam's first step is the sign of a gradient, and the signs of those near 0
    are rounding.
    """
    config, found = module("networks.config").model_config("small", resolution=SIDE), {}
    generator = module("networks.generator").build_generator(config, seed=0)
    discriminator = module("networks.discriminator").build_discriminator(config, seed=1)
    keyed_noise, losses = module("networks.motion").keyed_noise, module("networks.loss")
    random = torch.Generator().manual_seed(0)
    times = torch.tensor([0.0, 5.0, 20.0]) + torch.arange(BATCH)[:, None]

    def fakes(videos: torch.Tensor) -> torch.Tensor:
        z = torch.randn(BATCH, config.z_dim, generator=random)
        frames: torch.Tensor = generator(z, times, keyed_noise(0, videos, config.noise_dim))
        return frames

    def descend(name: str, network: torch.nn.Module, loss: torch.Tensor) -> None:
        found[name] = loss.item()
        named = {key: parameter for key, parameter in network.named_parameters() if parameter.requires_grad}
        gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        for (key, parameter), gradient in zip(named.items(), gradients, strict=True):
            found[f"{name} {key}"] = 0.0 if gradient is None else gradient.double().norm().item()
            if gradient is not None:
                parameter.data -= RATE * gradient

    for step in range(NUMBERED_STEPS):
        videos = torch.arange(BATCH) + 2 * BATCH * step
        reals = (2 * torch.rand(BATCH, FRAMES, 3, SIDE, SIDE, generator=random) - 1).requires_grad_()
        descend(f"{step} generator", generator, losses.generator_loss(discriminator(fakes(videos), times)))
        logits = discriminator(fakes(videos + BATCH).detach(), times)
        loss = losses.discriminator_loss(discriminator(reals.detach(), times), logits)
        descend(f"{step} discriminator", discriminator, loss)
        descend(f"{step} r1", discriminator, losses.r1_penalty(discriminator(reals, times), reals))
    return found


def work(data: str) -> None:
    """The process of one state of the code: an answer, a line of JSON, to every line that comes in.

    A name is asked for a step of it, and `numbers` for these.
    """
    torch.set_num_threads(1)
    run_file, clip_files = module("training.run"), module("data.clips")
    dataset = clip_files.VideoDataset.open(data, resolution=SIDE, frames=FRAMES)
    trainers, clips = {}, {}
    for name, probability in PROBABILITIES.items():
        train = run_file.TrainRun(batch=BATCH, ada=probability > 0, r1_interval=STEPS)
        model = module("networks.config").model_config("small", resolution=SIDE)
        run = run_file.Run(model=model, data=run_file.DataRun(path=data), train=train)
        kind = module("training.trainer").Trainer if before() else module("methods.style_trainer").StyleTrainer
        trainers[name] = kind(run, dataset, torch.device("cpu"))
        trainers[name].probability.p = probability
        clips[name] = clip_files.batches(dataset, trainers[name].samples(), seed=0, workers=1)
    with contextlib.nullcontext() if before() else module("training.allocator").kept_memory():
        for line in sys.stdin:
            if line.strip() == "numbers":
                print(json.dumps(numbers()), flush=True)
                continue
            trainer, batch = trainers[line.strip()], next(clips[line.strip()])
            began = time.process_time()
            trainer.step(batch)
            print(json.dumps({"seconds": time.process_time() - began}), flush=True)


class Worker:
    """A state of the code in a process of its own."""

    def __init__(self, tree: Path, data: Path) -> None:
        paths = os.pathsep.join(map(str, (tree / "model", tree)))
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", str(data)],
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str) -> dict[str, float]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(name, file=self.process.stdin, flush=True)
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer


def write_videos(folder: Path) -> None:
    """Sixteen frame folders of noise."""
    rng = np.random.default_rng(0)
    for video in range(16):
        (folder / f"{video}").mkdir(parents=True)
        for t in range(40):
            noise = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{video}" / f"{t:06d}.png")


def seconds(steps: list[float]) -> float:
    """Return the mean processor seconds of a step. steps: those of a round, the first of which has R1."""
    without = statistics.mean(steps[1:])
    return without + (steps[0] - without) / R1_INTERVAL


def largest_difference(a: dict[str, float], b: dict[str, float]) -> float:
    """Return the largest difference of two numbers of one name, relative to the larger one."""
    assert a.keys() == b.keys()
    return max(abs(a[name] - b[name]) / max(abs(a[name]), abs(b[name]), 1e-30) for name in a)


def main() -> None:
    from machine import write  # in no worker, as what it imports was not there before

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        data, before = Path(folder) / "videos", Path(folder) / "before"
        write_videos(data)
        unpack(BEFORE, before, "model", "fvd_bench", "protocols")
        workers = {"before": Worker(before, data), "now": Worker(ROOT, data)}
        difference = largest_difference(*(worker.ask("numbers") for worker in workers.values()))
        print("largest difference of losses and gradients:", difference, flush=True)
        assert difference < 1e-3, difference
        costs: dict[str, dict[str, list[float]]] = {name: {state: [] for state in workers} for name in PROBABILITIES}
        for place in range(rounds + 1):
            for name, states in costs.items():
                steps: dict[str, list[float]] = {state: [] for state in states}
                for _ in range(STEPS):
                    for state, worker in workers.items():
                        steps[state].append(worker.ask(name)["seconds"])
                if place > 0:  # the first round warms up
                    for state in states:
                        states[state].append(seconds(steps[state]))
                    print(f"round {place}", name, {state: states[state][-1] for state in states}, flush=True)
        for worker in workers.values():
            worker.process.communicate()
    table: dict[str, Any] = {"before": BEFORE, "rounds": rounds, "difference_of_losses_and_gradients": difference}
    for name, states in costs.items():
        ratios = [a / b for a, b in zip(states["before"], states["now"], strict=True)]
        table[name] = {
            **{
                f"frames_per_second_{state}": BATCH * FRAMES / statistics.median(each) for state, each in states.items()
            },
            "ratio": statistics.median(ratios),
            "ratios": ratios,
        }
    print(json.dumps(table, indent=1))
    write("train_cpu", __doc__, table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2])
    else:
        main()
