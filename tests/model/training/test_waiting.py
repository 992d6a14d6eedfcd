"""Steps of training never wait for a GPU. Tensors of the device `meta`, which hold no numbers, stand in for its own."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.data.preloaded import PreloadedVideos
from stylegan_v.methods.settings import TrainRun
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.networks.augment_draws import constant
from stylegan_v.training.run import Run

META = torch.device("meta")
READING = {"_local_scalar_dense", "equal", "is_nonzero", "masked_select", "nonzero", "unique2", "_unique2"}
"""Operations whose result, or its shape, the CPU waits for."""


class Watch(TorchDispatchMode):
    """Counts tensor operations, and notes those that would make the CPU wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.waiting: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = operation.overloadpacket.__name__
        result = None if name in READING else operation(*args, **(kwargs or {}))
        devices = {tensor.device.type for tensor in (*args, result) if isinstance(tensor, Tensor)}
        self.count[name] += 1
        if (name in READING and "meta" in devices) or (name in {"copy_", "_to_copy"} and len(devices) > 1):
            self.waiting.append(name)
        return operation(*args, **(kwargs or {})) if result is None else result


class WatchNumbers(TorchFunctionMode):
    """Notes tensors that are made of numbers of the CPU's on a GPU."""

    def __init__(self, waiting: list[str]) -> None:
        super().__init__()
        self.waiting = waiting

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function in (torch.tensor, torch.as_tensor, Tensor.new_tensor) and result.device == META:
            self.waiting.append(function.__name__)
        return result


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    with Watch() as watch, WatchNumbers(watch.waiting):
        yield watch


@pytest.fixture(scope="module")
def make_trainer(toy_videos: Path, tiny_config):
    """A trainer on no device, and a batch. All constants have been copied there, in a step of another one."""

    def make(*, num_classes: int = 0, **train) -> tuple[StyleTrainer, Batch]:
        model = tiny_config(num_classes=num_classes, std_group=2)
        dataset = VideoDataset.open(toy_videos, resolution=32, frames=3, num_classes=num_classes)
        run = Run(model=model, train=TrainRun(**{"batch": 4, "r1_interval": 2, **train}))
        trainer = StyleTrainer(run, dataset, META)
        for optimizer in trainer.optimizers.values():
            for group in optimizer.param_groups:  # a fused step, which a GPU takes, is none of this device's
                group["fused"], group["foreach"] = False, True
        return trainer, next(PreloadedVideos(dataset, META).batches([range(4)], seed=0))

    trainer, batch = make()
    trainer.step(batch)
    return make


def test_a_step_waits_for_nothing(make_trainer) -> None:
    trainer, batch = make_trainer(
        num_classes=2, micro_batch=2, precision="float16", ema_rampup=0.05, mismatched_weight=0.5
    )
    trainer.probability.interval = 2

    with watched() as watch:
        for _ in range(2):  # with and without R1, and to another probability of augmentation
            trainer.step(batch)

    assert watch.waiting == []
    assert watch.count["grid_sampler_2d"] > 0


def test_what_waits_is_seen() -> None:
    number = torch.zeros((), device=META)
    ways = [
        lambda: torch.tensor([1.0, 2.0], device=META),
        lambda: torch.zeros(3).to(META),
        lambda: number.copy_(torch.ones(())),
        lambda: float(number),
        lambda: number.nonzero(),
        lambda: number[number > 0],
    ]
    for way in ways:
        with watched() as watch, contextlib.suppress(RuntimeError, NotImplementedError):  # there are no numbers here
            way()
        assert watch.waiting, way


def test_constants_are_copied_once() -> None:
    with watched() as watch:
        assert constant((1.5, -7.25), META) is constant((1.5, -7.25), META)

    assert len(watch.waiting) == 1


def test_a_step_augments_in_few_operations(make_trainer) -> None:
    (trainer, batch), (plain, _) = make_trainer(), make_trainer(ada=False)
    counts = []
    for each in (trainer, plain):
        with watched() as watch:
            each.step(batch)
        counts.append(watch.count.total())
        assert watch.waiting == []

    assert counts[0] - counts[1] < 800  # for three or four batches of clips, with their derivatives; 655 when written
