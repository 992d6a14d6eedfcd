"""Question: does a step of each method take as long as its arithmetic says, against one of image StyleGAN2?

Command:  OMP_NUM_THREADS=1 python benchmarks/method_cost.py [--rounds N] [--tiny]
Time:     eight minutes on an idle core for the default of 3 rounds.
Expected: at most 1.2 times as long for every method and stage but two, which took 1.38 and 1.30 times as long. The
          image stage of MoCoGAN-HD has steps of 4 images in place of 8, and what a step pays once, such as Adam, counts
          twice: by steps of 8 it took 0.84 times as long. The VQ-VAE has convolutions of three dimensions, which oneDNN
          runs at 49 GFLOP a second where those of StyleGAN2 run at 64, said a profile of a core with AVX2: 1.31 times.
          Gradients of its weights, a third of the arithmetic, take half of that time: for these oneDNN unfolds input
          and multiplies matrices, at 34, where for two dimensions it has a kernel, at 45. Transposed convolutions run
          at 43, those of StyleGAN2 at 77, and all others of the VQ-VAE at 80 and more. Batch norms took 0.5 % of the
          step, attention with its projections 5.4 %.

The `small` preset of every method at 64², by its own batch, without adaptive augmentation. Operations are those of
convolutions and matrix products, counted by torch while a step is taken, two for each multiplication and addition;
those of a step with R1 count once in r1_interval steps, as its time does. All are per real frame. A round is a step of
each kind of each method in turn, so that what else the machine does slows down all. Times are processor time, and
figures medians over rounds of what is compared within a round.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from machine import parser, write
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from training_cost import one_video

from stylegan_v.baselines import registry
from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.methods.trainer import Trainer
from stylegan_v.training.allocator import kept_memory
from stylegan_v.training.loop import training_arithmetic
from stylegan_v.training.run import load_run

BASELINE = "stylegan2"
MOST = 1.2
PLAIN = 1
"""The number of a step without R1; step 0 has it."""


class Timed:
    """A method in one of its stages, on random clips. interval: steps to one with R1, 1 where none has it."""

    def __init__(self, method: str, stage: str, videos: Path, *, preset: str, side: int) -> None:
        model = {"method": method, "preset": preset, "resolution": side}
        train = {} if "ada" in registry.method(method).unused else {"ada": False}
        run = dataclasses.replace(load_run(None, {"model": model, "train": train}), stage=stage)
        kind = run.method.stage(stage).trainer
        rule, batch = kind.clips(run.model), run.train.batch
        dataset = VideoDataset.open(videos, resolution=side, **dataclasses.asdict(rule))
        self.trainer: Trainer = kind(run, dataset, torch.device("cpu"))
        self.interval = run.train.r1_interval if isinstance(self.trainer, StyleTrainer) else 1
        frames = torch.randint(0, 256, (batch, rule.frames, 3, side, side), dtype=torch.uint8)
        times = torch.arange(rule.frames).repeat(batch, 1).double()
        self.batch, self.frames = Batch(frames, times, torch.zeros(batch, 0)), batch * rule.frames

    def weighed(self, measure: Any) -> float:
        """What is measured of a step, per real frame: that with R1 counts once in `interval` steps."""
        plain = self._step(PLAIN, measure)
        with_r1 = self._step(0, measure) if self.interval > 1 else plain
        return (plain + (with_r1 - plain) / self.interval) / self.frames

    def _step(self, number: int, measure: Any) -> float:
        self.trainer.steps = number
        measured: float = measure(lambda: self.trainer.step(self.batch))
        return measured


class Operations(TorchDispatchMode):
    """Counts what torch knows to count, as its own counter does, whose hooks do not bear second derivatives."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.total += count(*args, **(kwargs or {}), out_val=made)
        return made


def operations(step: Any) -> float:
    with Operations() as counted:
        step()
    return float(counted.total)


def seconds(step: Any) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def main() -> None:
    options = parser("cpu")
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    preset, side = ("tiny", 32) if arguments.tiny else ("small", 64)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder, training_arithmetic(), kept_memory():
        videos = one_video(Path(folder), side)
        timed = {
            f"{name} {stage.name}".strip(): Timed(name, stage.name, videos, preset=preset, side=side)
            for name in registry.MODULES
            for stage in registry.method(name).stages()
        }
        counts = {name: method.weighed(operations) for name, method in timed.items()}  # these steps warm up, too
        rounds = [{name: method.weighed(seconds) for name, method in timed.items()} for _ in range(arguments.rounds)]
    table = {}
    for name, count in counts.items():
        arithmetic = count / counts[BASELINE]
        taken = statistics.median(found[name] / found[BASELINE] for found in rounds)
        table[name] = {
            "gflop_per_frame": count / 1e9,
            "seconds_per_frame": statistics.median(found[name] for found in rounds),
            "arithmetic_against_stylegan2": arithmetic,
            "time_against_stylegan2": taken,
            "time_by_arithmetic": taken / arithmetic,
        }
        print(name, table[name], flush=True)
    over = [name for name, row in table.items() if row["time_by_arithmetic"] > MOST]
    asked = {**({"tiny": True} if arguments.tiny else {}), "preset": preset, "rounds": arguments.rounds}
    write("method_cost", __doc__, {**asked, "methods": table, "over": over})


if __name__ == "__main__":
    main()
