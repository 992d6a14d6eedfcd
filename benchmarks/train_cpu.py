"""Question: how much faster is a training step on a CPU than it was, and are its numbers the same?

Command:  python benchmarks/train_cpu.py [ROUNDS]   (in a clone with its whole history)
Time:     4 minutes on an idle core for the default of 5 rounds.
Expected: a step of `small` at 64², batch 8, takes two thirds of the processor time that it took at commit abcc8b0, or
          less. Without augmentation, which has another centre since, the generator's first loss and gradients, which
          come through both networks, are equal to rounding. What follows is not: Adam's first step is the sign of a
          gradient, and the signs of those near 0 are rounding.

Both states of the code run beside each other in processes of one thread that take turns step by step, so that what
else the machine does slows down both. A round is three steps of either, one of which has R1. Figures are medians
over rounds, with R1 counted as once in 16 steps.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import write
from PIL import Image

ROOT = Path(__file__).parents[1]
BEFORE = "abcc8b0"
BATCH, FRAMES, SIDE = 8, 3, 64
STEPS, R1_INTERVAL = 3, 16
PROBABILITIES = {"plain": 0.0, "augmented": 0.3}


def work(data: str) -> None:
    """The process of one state of the code: a step and a line of JSON for every line with a name that comes in."""
    from stylegan_v.data.clips import VideoDataset, batches
    from stylegan_v.networks.config import model_config
    from stylegan_v.training.run import DataRun, Run, TrainRun
    from stylegan_v.training.trainer import Trainer

    torch.set_num_threads(1)
    dataset = VideoDataset.open(data, resolution=SIDE, frames=FRAMES)
    trainers, clips = {}, {}
    for name, probability in PROBABILITIES.items():
        train = TrainRun(batch=BATCH, ada=probability > 0, r1_interval=STEPS)
        run = Run(model=model_config("small", resolution=SIDE), data=DataRun(path=data), train=train)
        trainers[name] = Trainer(run, dataset, torch.device("cpu"))
        trainers[name].probability.p = probability
        clips[name] = batches(dataset, trainers[name].samples(), seed=0, workers=1)
    for line in sys.stdin:
        trainer, batch = trainers[line.strip()], next(clips[line.strip()])
        first = trainer.steps == 0
        began = time.process_time()
        logs = trainer.step(batch)
        answer: dict[str, Any] = {"seconds": time.process_time() - began}
        if first:  # Adam's second moments are then those of one gradient, of the generator's
            moments = {
                name: t for name, t in trainer.tensors().items() if name.startswith("generator_optimizer.exp_avg_sq.")
            }
            answer["numbers"] = {name: tensor.double().sum().sqrt().item() for name, tensor in moments.items()}
            answer["numbers"]["loss"] = logs["loss/generator"].item()
        print(json.dumps(answer), flush=True)


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

    def step(self, name: str) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(name, file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def write_videos(folder: Path) -> None:
    """Sixteen frame folders of noise."""
    rng = np.random.default_rng(0)
    for video in range(16):
        (folder / f"{video}").mkdir(parents=True)
        for t in range(40):
            noise = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{video}" / f"{t:06d}.png")


def unpack(commit: str, folder: Path) -> None:
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "model", "fvd_bench", "protocols"], check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


def seconds(steps: list[float]) -> float:
    """A step's processor seconds, of steps of which every STEPS-th has R1."""
    with_r1 = statistics.median(steps[::STEPS])
    without = statistics.median(second for place, second in enumerate(steps) if place % STEPS)
    return without + (with_r1 - without) / R1_INTERVAL


def largest_difference(a: dict[str, float], b: dict[str, float]) -> float:
    """Of numbers of one name, relative to the larger one."""
    return max(abs(a[name] - b[name]) / max(abs(a[name]), abs(b[name]), 1e-30) for name in a.keys() & b.keys())


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        data, before = Path(folder) / "videos", Path(folder) / "before"
        write_videos(data)
        unpack(BEFORE, before)
        workers = {"before": Worker(before, data), "now": Worker(ROOT, data)}
        times: dict[str, dict[str, list[float]]] = {name: {state: [] for state in workers} for name in PROBABILITIES}
        numbers: dict[str, dict[str, float]] = {}
        for place in range(rounds * STEPS):
            for name in PROBABILITIES:
                for state, worker in workers.items():
                    answer = worker.step(name)
                    times[name][state].append(answer["seconds"])
                    if name == "plain" and place == 0:
                        numbers[state] = answer["numbers"]
        for worker in workers.values():
            worker.process.communicate()
    difference = largest_difference(numbers["before"], numbers["now"])
    table: dict[str, Any] = {"before": BEFORE, "rounds": rounds, "difference_of_loss_and_gradients": difference}
    for name, states in times.items():
        cost = {state: seconds(steps) for state, steps in states.items()}
        table[name] = {
            **{f"frames_per_second_{state}": BATCH * FRAMES / each for state, each in cost.items()},
            "ratio": cost["before"] / cost["now"],
        }
    print(json.dumps(table, indent=1))
    assert difference < 1e-3, difference
    write("train_cpu", __doc__, table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2])
    else:
        main()
