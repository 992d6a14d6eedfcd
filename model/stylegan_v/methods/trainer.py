"""What the trainers of all methods share: networks, their average, optimisers, counts, shares of a batch, and state.

Everything random is addressed by the number of a training sample (noise.py), so a step depends on the state of the
networks and that number alone. Training goes on after an interruption as if there had been none, and several processes
do what one process with their joined batch does, as long as no network takes means over its batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from fvd_bench.words import counted
from stylegan_v import distributed
from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.data.times import ClipRule
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.methods.checkpoint_parts import load_part
from stylegan_v.methods.settings import TrainRun
from stylegan_v.networks.video_generator import VideoGenerator

Makers = Mapping[str, Callable[[Any], nn.Module]]
"""Networks by name, each made from the config of its method. One is the `generator`, a VideoGenerator."""

_LARGEST_GRADIENT = 1e5


class StageRun(Protocol):
    """What a trainer depends on of a run: the config of a method, the settings of its training, and its stage."""

    @property
    def model(self) -> Any: ...  # the config of any method
    @property
    def train(self) -> TrainRun: ...
    @property
    def stage(self) -> str: ...
    @property
    def kimg_per_step(self) -> float: ...
    @property
    def total_steps(self) -> int: ...


class Trainer(ABC):
    """The networks of a method, and the steps that train them in one of its stages.

    makes: the networks. clips: what a batch holds. group: number of videos that cannot be parted between micro-batches.
    averages: whether samples are made with a running average of the generator, or with a copy of it as it is.
    shows: whether the generator can make videos while this stage is trained.

    A subclass makes its `optimizers` once the networks are there, by the name of the network that each changes, and
    says in `update` what a step is. Parameters that an optimiser does not hold stay as they are.
    """

    makes: ClassVar[Makers]
    averages: ClassVar[bool] = True
    shows: ClassVar[bool] = True

    @staticmethod
    @abstractmethod
    def clips(model: Any) -> ClipRule:
        """Return which frames of a video a batch holds. model: the config of the method."""

    @staticmethod
    def group(run: StageRun) -> int:
        """Return how many videos a network has to see together, see `MinibatchDeviation`."""
        return 1

    def __init__(self, run: StageRun, dataset: VideoDataset, device: torch.device) -> None:
        """Raises ConfigError for batches that cannot be split."""
        share, rest = divmod(run.train.batch, distributed.world())
        micro, group = run.train.micro_batch or share, self.group(run)
        if rest or share % micro or micro % group:
            raise ConfigError(
                f"batch = {counted(run.train.batch, 'video')} over {counted(distributed.world(), 'process')}, {micro} "
                f"at a time: the batch has to be a multiple of both, and {micro} of {group}, the videos of a minibatch "
                "deviation"
            )
        self.run, self.dataset, self.device = run, dataset, device
        self.share, self.micro_batches = share, share // micro
        self.steps, self.kimg_before = 0, 0.0
        seeds = {name: run.train.seed + place for place, name in enumerate(self.makes)}
        self.networks: dict[str, Any] = {  # Any: the modules of a method, whose subclass knows which they are
            name: _seeded(make, run.model, seeds[name], device) for name, make in self.makes.items()
        }
        average = _seeded(self.makes["generator"], run.model, seeds["generator"], device).requires_grad_(False)
        assert isinstance(average, VideoGenerator)
        self.ema = average.eval()
        self.ema.use_precision_of(run.train.precision)
        self.optimizers: dict[str, torch.optim.Optimizer] = {}

    @property
    def videos(self) -> int:
        """The number of real videos seen so far in this stage, over all processes."""
        return self.steps * self.run.train.batch

    @property
    def kimg(self) -> float:
        """Thousands of real frames seen so far, in earlier stages too."""
        return self.kimg_before + self.steps * self.run.kimg_per_step

    def samples(self) -> Iterator[list[int]]:
        """Yield the training samples of this process, step by step from now on: every W-th of each batch."""
        first = self.videos
        while True:
            yield list(range(first + distributed.rank(), first + self.run.train.batch, distributed.world()))
            first += self.run.train.batch

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train on the real clips of the next samples. Returns what can be plotted, as tensors on the device."""
        numbers = torch.arange(distributed.rank(), self.run.train.batch, distributed.world(), device=self.device)
        logs = self.update(self.videos + numbers, batch.to(self.device))
        self.update_ema()
        self.steps += 1
        return logs

    @abstractmethod
    def update(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Take a step of each network. numbers: int64 [B], of the training samples. Returns what can be plotted."""

    def take_over(self) -> None:  # noqa: B027  # most methods have one stage
        """Prepare the networks, which are as the stage before left them. Called once, before a later stage's first
        step; what it changes of the generator it does to `ema` too."""

    def rehearse(self) -> float | None:
        """Return about how many seconds a step takes on this CPU, None where that is not known. Nothing changes."""
        return None

    def watched(self) -> dict[str, float]:
        """Return what the log says beside the values of steps."""
        return {}

    def apply(self, name: str) -> None:
        """Average gradients of a network over processes, step its optimiser, and forget them. NaN becomes 0, an
        infinity ± 1e5."""
        network, optimizer = self.networks[name], self.optimizers[name]
        parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
        gradients = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
        distributed.average([gradients])
        torch.nan_to_num(gradients, nan=0.0, posinf=_LARGEST_GRADIENT, neginf=-_LARGEST_GRADIENT, out=gradients)
        parts = torch.split(gradients, [parameter.numel() for parameter in parameters])
        for parameter, gradient in zip(parameters, parts, strict=True):
            parameter.grad = gradient.view_as(parameter)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def update_ema(self) -> None:
        """Let the average generator follow. It forgets half in ema_kimg thousand videos, or all where none is kept."""
        half_life = self.run.train.ema_kimg * 1000
        if self.run.train.ema_rampup:
            half_life = min(half_life, max(self.kimg * 1000 * self.run.train.ema_rampup, 1e-8))
        beta = 0.5 ** (self.run.train.batch / half_life) if self.averages else 0.0
        follow = get_ema_multi_avg_fn(beta)  # type: ignore[no-untyped-call]
        generator = self.networks["generator"]
        follow(list(self.ema.parameters()), list(generator.parameters()), self.steps)
        for copied, buffer in zip(self.ema.buffers(), generator.buffers(), strict=True):
            copied.copy_(buffer)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint, including those of the optimisers."""
        found = {f"{part}.{name}": t for part, net in self._parts().items() for name, t in net.state_dict().items()}
        for part, optimizer in self.optimizers.items():
            skipped = {"exp_avg"} if _without_momentum(optimizer) else set()
            for name, parameter in self.networks[part].named_parameters():
                for key, value in optimizer.state.get(parameter, {}).items():
                    if key not in skipped:  # with β₁ = 0, every step overwrites it with the gradient
                        found[f"{part}_optimizer.{key}.{name}"] = torch.as_tensor(value)
        return found

    def state(self) -> dict[str, Any]:
        """Return the rest of the state, as plain values."""
        stage = {"stage": self.run.stage, "kimg_before": self.kimg_before} if self.run.stage else {}
        return {"steps": self.steps, **stage}

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        """Go on from where a checkpoint was made. tensors: those of each part. Raises CheckpointError."""
        self._load_networks(tensors)
        self.steps, self.kimg_before = int(state["steps"]), float(state.get("kimg_before", 0.0))
        for part, optimizer in self.optimizers.items():
            for key, value in tensors.get(f"{part}_optimizer", {}).items():  # empty before the first step
                kind, _, name = key.partition(".")
                parameter = self.networks[part].get_parameter(name)
                on_host = kind == "step" and not _counts_on_device(optimizer)
                optimizer.state[parameter][kind] = value.to("cpu" if on_host else self.device, copy=True)
                if _without_momentum(optimizer):
                    optimizer.state[parameter].setdefault("exp_avg", torch.zeros_like(parameter))

    def begin_with(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Begin with networks that were trained before. tensors: those of each part. Raises CheckpointError.

        A generator and its average stand for each other where one is missing, and other networks that are missing are
        new.
        """
        found = {**tensors}
        for part, other in (("generator", "ema"), ("ema", "generator")):
            if part not in found and other in found:
                found[part] = found[other]
        if "ema" not in found:
            raise CheckpointError("the checkpoint to begin with has no generator")
        for part, network in self._parts().items():
            if part in found:
                load_part(network, found[part], part)

    def begin_stage(self, tensors: Mapping[str, Mapping[str, Tensor]], *, kimg: float) -> None:
        """Begin with the networks of the stage before, after so many thousand frames. Raises CheckpointError."""
        self._load_networks(tensors)
        self.kimg_before = kimg
        self.take_over()

    def _load_networks(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        for part, network in self._parts().items():
            load_part(network, tensors[part], part)

    def _parts(self) -> dict[str, nn.Module]:
        return {"ema": self.ema, **self.networks}

    def _add_gradients(self, loss: Tensor) -> None:
        """Add the gradients of the mean over micro-batches."""
        torch.autograd.backward(loss / self.micro_batches)


def _seeded(make: Callable[[Any], nn.Module], model: Any, seed: int, device: torch.device) -> nn.Module:
    """Make a network whose initial parameters depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(model).to(device)


def _counts_on_device(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether an optimiser counts its steps where its parameters are. Others read the count of each parameter in
    each step, and would wait for a GPU."""
    return any(group.get("fused") or group.get("capturable") for group in optimizer.param_groups)


def _without_momentum(optimizer: torch.optim.Optimizer) -> bool:
    return all(group.get("betas", (1.0,))[0] == 0 for group in optimizer.param_groups)
