"""One step of training: the generator, the discriminator, its R1, the average of the generator, and augmentation.

Everything random is addressed by the number of a training sample (noise.py), so a step depends on the state of the
networks and that number alone. Training goes on after an interruption as if there had been none, and several processes
do what one process with their joined batch does.

Source: paper appendix B.1 (loss and optimiser); Karras et al. 2020 for what the paper leaves to StyleGAN2-ADA.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from stylegan_v.checkpoints.checkpoint import load_part
from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.errors import ConfigError
from stylegan_v.networks.adaptive_augment import AdaptiveProbability
from stylegan_v.networks.augment import Augmentations, augment, plan
from stylegan_v.networks.discriminator import build_discriminator
from stylegan_v.networks.generator import build_generator, half_precision
from stylegan_v.networks.loss import discriminator_loss, generator_loss, r1_penalty
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.pixels import normalise
from stylegan_v.training import distributed
from stylegan_v.training.cuda_graph import Recorded
from stylegan_v.training.run import Run

_GENERATOR, _DISCRIMINATOR = 0, 1
"""The two steps that videos are generated for. The videos of training sample s have the numbers 2 s + step."""

_LARGEST_GRADIENT = 1e5

_GENERATOR_PASSES, _DISCRIMINATOR_PASSES = 4.0, 8.4
"""What a step is made of, see `Trainer.rehearse`."""


Videos = TypeVar("Videos", "Reals", "Fakes")


@dataclass(frozen=True, slots=True)
class Reals:
    """Real clips of a step.

    frames: in [-1, 1]. augmentations: how the clips are augmented, None for not at all.
    r1_augmentations: the same while R1 is computed.
    """

    frames: Tensor
    times: Tensor
    labels: Tensor | None
    augmentations: Augmentations | None
    r1_augmentations: Augmentations | None


@dataclass(frozen=True, slots=True)
class Fakes:
    """What a batch of videos is generated from, and how it is augmented.

    numbers: int64 [B], of the videos. augmentations: None for none.
    """

    numbers: Tensor
    times: Tensor
    labels: Tensor | None
    augmentations: Augmentations | None


class Trainer:
    """Both networks, their optimisers, the average generator, and the count of videos seen so far."""

    def __init__(self, run: Run, dataset: VideoDataset, device: torch.device) -> None:
        share, rest = divmod(run.train.batch, distributed.world())
        micro = run.train.micro_batch or share
        group = min(run.model.std_group, run.train.batch)
        if rest or share % micro or micro % group:
            raise ConfigError(
                f"batch = {run.train.batch} videos over {distributed.world()} processes, {micro} at a time: the batch "
                f"has to be a multiple of both, and {micro} of {group}, the videos of a minibatch deviation"
            )
        self.run = run
        self.dataset = dataset
        self.device = device
        self._times = dataset.times.to(device)
        self._labels = torch.from_numpy(dataset.labels).to(device)
        self.share = share
        self.micro_batches = share // micro
        self.generator = build_generator(run.model, seed=run.train.seed).to(device)
        self.ema = build_generator(run.model, seed=run.train.seed).to(device).requires_grad_(False)
        self.discriminator = build_discriminator(run.model, seed=run.train.seed + 1).to(device)
        self.generator_optimizer = _adam(self.generator, run, interval=run.train.lazy_interval)
        self.discriminator_optimizer = _adam(self.discriminator, run, interval=run.train.r1_interval)
        self.probability = AdaptiveProbability(
            batch_videos=run.train.batch, target=run.train.ada_target, kimg=run.train.ada_kimg, device=device
        )
        self.steps = 0
        half = half_precision(run.train.precision, device)
        for network in (self.generator, self.ema, self.discriminator):
            network.use_half(half)
        self._discriminate: Callable[..., Tensor] = self.discriminator
        if run.train.compile:
            self.generator.synthesis.compile()
            self._discriminate = torch.compile(self.discriminator)  # not for R1, which differentiates twice
        self._recorded: list[Recorded] = []  # a step without R1, and one with it
        if run.train.cuda_graphs:
            if device.type != "cuda" or distributed.world() > 1:
                raise ConfigError("cuda_graphs = true needs a GPU, and one process: set it to false in [train]")
            self._recorded = [Recorded(functools.partial(self._update, r1=r1)) for r1 in (False, True)]

    @property
    def videos(self) -> int:
        """The number of real videos seen so far, over all processes."""
        return self.steps * self.run.train.batch

    @property
    def kimg(self) -> float:
        """Thousands of real frames seen so far."""
        return self.steps * self.run.kimg_per_step

    def samples(self) -> Iterator[list[int]]:
        """Yield the training samples of this process, step by step from now on: every W-th of each batch."""
        first = self.videos
        while True:
            yield list(range(first + distributed.rank(), first + self.run.train.batch, distributed.world()))
            first += self.run.train.batch

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train on the real clips of the next samples. Returns what can be plotted, as tensors on the device."""
        numbers = torch.arange(distributed.rank(), self.run.train.batch, distributed.world(), device=self.device)
        r1 = self.steps % self.run.train.r1_interval == 0
        work = self._recorded[r1] if self._recorded else functools.partial(self._update, r1=r1)
        logs = work(self.videos + numbers, batch.to(self.device))
        self.update_ema()
        self.update_augment(logs)
        self.steps += 1
        return logs

    @torch.no_grad()
    def rehearse(self) -> float:
        """Return about how many seconds a step takes on this CPU, from how long either network takes for few videos.

        Nothing changes. In units of a network's pass over the batch, a step is 4 of the generator's and 8.4 of the
        discriminator's, passes backward and R1 counted (docs/model.md).
        """
        few = torch.arange(min(self.run.model.std_group, self.share), device=self.device)
        times, videos = self._times.fake(self.run.train.seed, few)
        labels = self._labels[videos] if self.run.model.num_classes else None
        fakes = Fakes(few, times.to(torch.float32), labels, None)
        seconds = 0.0
        for _ in range(2):  # the first time is longer
            began = time.monotonic()
            frames, _ = self._generate(fakes)
            made = time.monotonic()
            self.discriminator(frames, fakes.times, fakes.labels)
            seconds = _GENERATOR_PASSES * (made - began) + _DISCRIMINATOR_PASSES * (time.monotonic() - made)
        return seconds * self.share / len(few)

    def _update(self, numbers: Tensor, batch: Batch, *, r1: bool) -> dict[str, Tensor]:
        """Take a step of each network. numbers: int64 [B], of the training samples."""
        generator_fakes, discriminator_fakes, reals = self._draw(numbers, batch)
        logs = self.update_generator(generator_fakes)
        logs |= self.update_discriminator(discriminator_fakes, reals)
        return logs | self.update_r1(reals) if r1 else logs

    def update_generator(self, fakes: Fakes) -> dict[str, Tensor]:
        """Take one step of the generator against the discriminator as it is."""
        self.discriminator.requires_grad_(False)
        losses, means = [], []
        for batch in self._micro_batches(fakes):
            frames, mean = self._generate(batch)
            logits = self._discriminate(_seen(frames, batch.augmentations), batch.times, batch.labels)
            loss = generator_loss(logits)
            self._add_gradients(loss)
            losses.append(loss.detach())
            means.append(mean)
        self.discriminator.requires_grad_(True)
        self._track(means)
        _apply(self.generator, self.generator_optimizer)
        return {"loss/generator": torch.stack(losses).mean()}

    def update_discriminator(self, fakes: Fakes, reals: Reals) -> dict[str, Tensor]:
        """Take one step of the discriminator on real and generated videos."""
        losses, means, real_logits, fake_logits = [], [], [], []
        for made, given in zip(self._micro_batches(fakes), self._micro_batches(reals), strict=True):
            with torch.no_grad():
                frames, mean = self._generate(made)
                frames = _seen(frames, made.augmentations)
            fake = self._discriminate(frames, made.times, made.labels)
            real = self._discriminate(_seen(given.frames, given.augmentations), given.times, given.labels)
            loss = discriminator_loss(real, fake)
            self._add_gradients(loss)
            losses.append(loss.detach())
            means.append(mean)
            real_logits.append(real.detach())
            fake_logits.append(fake.detach())
        self._track(means)
        _apply(self.discriminator, self.discriminator_optimizer)
        signs = torch.cat(real_logits).sign()
        return {
            "loss/discriminator": torch.stack(losses).mean(),
            "logits/real": torch.cat(real_logits).mean(),
            "logits/fake": torch.cat(fake_logits).mean(),
            "logits/real_sign": signs.mean(),
        }

    def update_r1(self, reals: Reals) -> dict[str, Tensor]:
        """Take one step of the discriminator on R1 alone, with the weight of all steps in its interval."""
        weight = self.run.gamma / 2 * self.run.train.r1_interval
        penalties = []
        for batch in self._micro_batches(reals):
            videos = batch.frames.detach().requires_grad_()
            logits = self.discriminator(_seen(videos, batch.r1_augmentations), batch.times, batch.labels)
            penalty = r1_penalty(logits, videos)
            self._add_gradients(penalty * weight)
            penalties.append(penalty.detach())
        _apply(self.discriminator, self.discriminator_optimizer)
        return {"loss/r1": torch.stack(penalties).mean()}

    @torch.no_grad()
    def update_ema(self) -> None:
        """Let the average generator follow. It forgets half in ema_kimg thousand videos."""
        half_life = self.run.train.ema_kimg * 1000
        if self.run.train.ema_rampup:
            half_life = min(half_life, max(self.kimg * 1000 * self.run.train.ema_rampup, 1e-8))
        beta = 0.5 ** (self.run.train.batch / half_life)
        follow = get_ema_multi_avg_fn(beta)  # type: ignore[no-untyped-call]
        follow(list(self.ema.parameters()), list(self.generator.parameters()), self.steps)
        for copied, buffer in zip(self.ema.buffers(), self.generator.buffers(), strict=True):
            copied.copy_(buffer)

    def update_augment(self, logs: Mapping[str, Tensor]) -> None:
        """Let the probability of augmentation follow the signs of the real logits."""
        if self.run.train.ada:
            sign = logs["logits/real_sign"].double()
            distributed.average([sign])
            self.probability.update(sign * self.run.train.batch, self.run.train.batch)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint, including those of the optimisers."""
        networks = {"ema": self.ema, "generator": self.generator, "discriminator": self.discriminator}
        found = {f"{part}.{name}": t for part, net in networks.items() for name, t in net.state_dict().items()}
        for part, optimizer, network in self._optimizers():
            for name, parameter in network.named_parameters():
                for key, value in optimizer.state[parameter].items():
                    if key == "exp_avg":  # with β₁ = 0, every step overwrites it with the gradient
                        continue
                    found[f"{part}.{key}.{name}"] = torch.as_tensor(value)
        return found

    def state(self) -> dict[str, Any]:
        """Return the rest of the state, as plain values."""
        return {"steps": self.steps, "augment": self.probability.state_dict()}

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        """Go on from where a checkpoint was made. tensors: those of each part. Raises CheckpointError."""
        load_part(self.ema, tensors["ema"], "ema")
        load_part(self.generator, tensors["generator"], "generator")
        load_part(self.discriminator, tensors["discriminator"], "discriminator")
        self.steps = int(state["steps"])
        self.probability.load_state_dict(state["augment"])
        for part, optimizer, network in self._optimizers():
            for key, value in tensors.get(part, {}).items():  # empty before the first step
                kind, _, name = key.partition(".")
                parameter = network.get_parameter(name)
                optimizer.state[parameter][kind] = value.to(self.device, copy=True)
                optimizer.state[parameter].setdefault("exp_avg", torch.zeros_like(parameter))

    def _optimizers(self) -> tuple[tuple[str, torch.optim.Adam, nn.Module], ...]:
        return (
            ("generator_optimizer", self.generator_optimizer, self.generator),
            ("discriminator_optimizer", self.discriminator_optimizer, self.discriminator),
        )

    def _add_gradients(self, loss: Tensor) -> None:
        """Add the gradients of the mean over micro-batches."""
        torch.autograd.backward(loss / self.micro_batches)

    def _micro_batches(self, videos: Videos) -> list[Videos]:
        """Split into micro-batches. Each takes every M-th video, see `MinibatchDeviation`."""
        return [_some(videos, slice(m, None, self.micro_batches)) for m in range(self.micro_batches)]

    def _draw(self, numbers: Tensor, batch: Batch) -> tuple[Fakes, Fakes, Reals]:
        """Draw all that a step is made of: fake videos for the steps of both networks, and real ones."""
        made = torch.cat([2 * numbers + _GENERATOR, 2 * numbers + _DISCRIMINATOR])
        seen = self._plan(made, torch.cat([2 * numbers, 2 * numbers + 1]))
        labelled = self.run.model.num_classes > 0
        times, videos = self._times.fake(self.run.train.seed, made)
        fakes = Fakes(
            made, times.to(torch.float32), self._labels[videos] if labelled else None, seen and seen[: len(made)]
        )
        reals = Reals(
            normalise(batch.frames),
            batch.times.to(torch.float32),
            batch.labels if labelled else None,
            seen and seen[len(made) : len(made) + self.share],
            seen and seen[len(made) + self.share :],
        )
        return _some(fakes, slice(0, self.share)), _some(fakes, slice(self.share, None)), reals

    def _plan(self, fakes: Tensor, reals: Tensor) -> Augmentations | None:
        """Draw how videos of these numbers are augmented, all in one draw.

        Returns None where nothing is augmented. On a CPU, where reading p does not wait, that is so while p is 0.
        """
        if not self.run.train.ada or (self.device.type == "cpu" and self.probability.p == 0):
            return None
        purposes = [torch.full_like(fakes, Purpose.AUGMENT_FAKE), torch.full_like(reals, Purpose.AUGMENT_REAL)]
        return plan(
            self.probability.value,
            seed=self.run.train.seed,
            purpose=torch.cat(purposes),
            samples=torch.cat([fakes, reals]),
            size=(self.run.model.resolution, self.run.model.resolution),
        )

    def _generate(self, fakes: Fakes) -> tuple[Tensor, Tensor]:
        """Return the frames of videos, and the mean of their w."""
        seed, model = self.run.train.seed, self.run.model
        z = normal(seed, Purpose.CONTENT, fakes.numbers, 0, model.z_dim)
        w = self.generator.mapping(z, fakes.labels)
        noise = keyed_noise(seed, fakes.numbers, model.noise_dim)
        return self.generator.render(w, fakes.times, noise, fakes.labels), w.detach().mean(dim=0)

    def _track(self, means: list[Tensor]) -> None:
        mean = torch.stack(means).mean(dim=0)
        distributed.average([mean])
        self.generator.mapping.track(mean)


def _some(videos: Videos, some: slice) -> Videos:
    """Return a slice of the videos."""
    values = {field.name: getattr(videos, field.name) for field in dataclasses.fields(videos)}
    chosen: dict[str, Any] = {name: value if value is None else value[some] for name, value in values.items()}
    return dataclasses.replace(videos, **chosen)


def _seen(frames: Tensor, augmentations: Augmentations | None) -> Tensor:
    return frames if augmentations is None else augment(frames, augmentations)


def _adam(network: nn.Module, run: Run, *, interval: int) -> torch.optim.Adam:
    """Make Adam, scaled by n / (n + 1) for a regulariser that runs every n steps (Karras et al. 2020, appendix B)."""
    factor = interval / (interval + 1)
    return torch.optim.Adam(
        network.parameters(),
        lr=run.learning_rate * factor,
        betas=(0.0, 0.99**factor),
        eps=1e-8,
        fused=True,
        capturable=run.train.cuda_graphs,
    )


def _apply(network: nn.Module, optimizer: torch.optim.Adam) -> None:
    """Average gradients over processes, take the step, and forget them. NaN becomes 0, an infinity ± 1e5."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    gradients = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
    distributed.average([gradients])
    torch.nan_to_num(gradients, nan=0.0, posinf=_LARGEST_GRADIENT, neginf=-_LARGEST_GRADIENT, out=gradients)
    parts = torch.split(gradients, [parameter.numel() for parameter in parameters])
    for parameter, gradient in zip(parameters, parts, strict=True):
        parameter.grad = gradient.view_as(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
