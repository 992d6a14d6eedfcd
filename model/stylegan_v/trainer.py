"""One step of training: the generator, the discriminator, its R1, the average of the generator, and augmentation.

Everything random is addressed by the number of a training sample (noise.py), so a step depends on the state of the
networks and that number alone: training goes on after an interruption as if there had been none, and several
processes do what one process with their joined batch does.

Source: paper appendix B.1 (loss and optimiser); Karras et al. 2020 for what the paper leaves to StyleGAN2-ADA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stylegan_v import distributed
from stylegan_v.augment import AdaptiveProbability, augment
from stylegan_v.checkpoint import load_part
from stylegan_v.data import Batch, VideoDataset
from stylegan_v.discriminator import build_discriminator
from stylegan_v.errors import ConfigError
from stylegan_v.generator import build_generator, half_precision
from stylegan_v.loss import discriminator_loss, generator_loss, r1_penalty
from stylegan_v.motion import keyed_noise
from stylegan_v.noise import Purpose, normal
from stylegan_v.pixels import normalise
from stylegan_v.run import Run

_GENERATOR, _DISCRIMINATOR = 0, 1
"""The two steps that videos are generated for: video 2 s + step of training sample s."""

_LARGEST_GRADIENT = 1e5


@dataclass(frozen=True, slots=True)
class Fakes:
    """What a batch of videos is generated from. numbers: int64 [B], of the videos, on the CPU."""

    numbers: Tensor
    times: Tensor
    labels: Tensor | None


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
        self.share = share
        self.micro_batches = share // micro
        self.generator = build_generator(run.model, seed=run.train.seed).to(device)
        self.ema = build_generator(run.model, seed=run.train.seed).to(device).requires_grad_(False)
        self.discriminator = build_discriminator(run.model, seed=run.train.seed + 1).to(device)
        self.generator_optimizer = _adam(self.generator, run.learning_rate, interval=run.train.lazy_interval)
        self.discriminator_optimizer = _adam(self.discriminator, run.learning_rate, interval=run.train.r1_interval)
        self.probability = AdaptiveProbability(
            batch_videos=run.train.batch, target=run.train.ada_target, kimg=run.train.ada_kimg
        )
        self.steps = 0
        half = half_precision(run.train.precision, device)
        for network in (self.generator, self.ema, self.discriminator):
            network.use_half(half)
        self._judge: Callable[..., Tensor] = self.discriminator
        if run.train.compile:
            self.generator.synthesis.compile()
            self._judge = torch.compile(self.discriminator)  # R1 differentiates twice: it keeps to the other

    @property
    def videos(self) -> int:
        """Real videos seen so far, over all processes."""
        return self.steps * self.run.train.batch

    @property
    def kimg(self) -> float:
        """Thousands of real frames seen so far."""
        return self.steps * self.run.kimg_per_step

    def samples(self) -> Iterator[list[int]]:
        """Training samples of this process, step by step from now on: every W-th of each batch."""
        first = self.videos
        while True:
            yield list(range(first + distributed.rank(), first + self.run.train.batch, distributed.world()))
            first += self.run.train.batch

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train on the real clips of the next samples. Gives what can be plotted, as tensors on the device."""
        numbers = torch.arange(distributed.rank(), self.run.train.batch, distributed.world()) + self.videos
        frames = normalise(batch.frames.to(self.device))
        times = batch.times.to(self.device, torch.float32)
        labels = batch.labels.to(self.device) if self.run.model.num_classes else None
        logs = self.update_generator(numbers)
        logs |= self.update_discriminator(numbers, frames, times, labels)
        if self.steps % self.run.train.r1_interval == 0:
            logs |= self.update_r1(numbers, frames, times, labels)
        self.update_ema()
        self.update_augment(logs)
        self.steps += 1
        return logs

    def update_generator(self, numbers: Tensor) -> dict[str, Tensor]:
        """One step of the generator against the discriminator as it is."""
        self.discriminator.requires_grad_(False)
        losses, means = [], []
        for part in self._parts(numbers):
            fakes = self._fakes(part, _GENERATOR)
            frames, mean = self._generate(fakes)
            logits = self._judge(self._augment(frames, Purpose.AUGMENT_FAKE, fakes.numbers), fakes.times, fakes.labels)
            loss = generator_loss(logits)
            self._add_gradients(loss)
            losses.append(loss.detach())
            means.append(mean)
        self.discriminator.requires_grad_(True)
        self._track(means)
        _apply(self.generator, self.generator_optimizer)
        return {"loss/generator": torch.stack(losses).mean()}

    def update_discriminator(
        self, numbers: Tensor, frames: Tensor, times: Tensor, labels: Tensor | None
    ) -> dict[str, Tensor]:
        """One step of the discriminator on real and generated videos."""
        losses, means, real_logits, fake_logits = [], [], [], []
        for m, part in enumerate(self._parts(numbers)):
            fakes = self._fakes(part, _DISCRIMINATOR)
            with torch.no_grad():
                generated, mean = self._generate(fakes)
            generated = self._augment(generated, Purpose.AUGMENT_FAKE, fakes.numbers)
            fake = self._judge(generated, fakes.times, fakes.labels)
            videos = self._augment(self._part(frames, m), Purpose.AUGMENT_REAL, 2 * part)
            real = self._judge(videos, self._part(times, m), self._part(labels, m))
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

    def update_r1(self, numbers: Tensor, frames: Tensor, times: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """One step of the discriminator on R1 alone, with the weight of all the steps between two of them."""
        weight = self.run.gamma / 2 * self.run.train.r1_interval
        penalties = []
        for m, part in enumerate(self._parts(numbers)):
            videos = self._part(frames, m).detach().requires_grad_()
            seen = self._augment(videos, Purpose.AUGMENT_REAL, 2 * part + 1)
            penalty = r1_penalty(self.discriminator(seen, self._part(times, m), self._part(labels, m)), videos)
            self._add_gradients(penalty * weight)
            penalties.append(penalty.detach())
        _apply(self.discriminator, self.discriminator_optimizer)
        return {"loss/r1": torch.stack(penalties).mean()}

    @torch.no_grad()
    def update_ema(self) -> None:
        """Let the average generator follow: half is forgotten in ema_kimg thousand videos."""
        half_life = self.run.train.ema_kimg * 1000
        if self.run.train.ema_rampup:
            half_life = min(half_life, max(self.kimg * 1000 * self.run.train.ema_rampup, 1e-8))
        beta = 0.5 ** (self.run.train.batch / half_life)
        for average, parameter in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(parameter, 1 - beta)
        for copied, buffer in zip(self.ema.buffers(), self.generator.buffers(), strict=True):
            copied.copy_(buffer)

    def update_augment(self, logs: Mapping[str, Tensor]) -> None:
        """Let the probability of augmentation follow the signs of the real logits."""
        if self.run.train.ada:
            sign = logs["logits/real_sign"].double()
            distributed.average([sign])
            self.probability.update(sign * self.run.train.batch, self.run.train.batch)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint, those of the optimisers included."""
        networks = {"ema": self.ema, "generator": self.generator, "discriminator": self.discriminator}
        found = {f"{part}.{name}": t for part, net in networks.items() for name, t in net.state_dict().items()}
        for part, optimizer, network in self._optimizers():
            for name, parameter in network.named_parameters():
                for key, value in optimizer.state[parameter].items():
                    if key == "exp_avg":  # with β₁ = 0 every step overwrites it with the gradient
                        continue
                    found[f"{part}.{key}.{name}"] = torch.as_tensor(value)
        return found

    def state(self) -> dict[str, Any]:
        """The rest of the state: plain values."""
        return {"steps": self.steps, "augment": self.probability.state_dict()}

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        """Go on from where a checkpoint was made. tensors: of each part. Raises CheckpointError."""
        load_part(self.ema, tensors["ema"], "ema")
        load_part(self.generator, tensors["generator"], "generator")
        load_part(self.discriminator, tensors["discriminator"], "discriminator")
        self.steps = int(state["steps"])
        self.probability.load_state_dict(state["augment"])
        for part, optimizer, network in self._optimizers():
            for key, value in tensors.get(part, {}).items():  # none before the first step
                kind, _, name = key.partition(".")
                parameter = network.get_parameter(name)
                optimizer.state[parameter][kind] = value.clone() if kind == "step" else value.to(self.device)
                optimizer.state[parameter].setdefault("exp_avg", torch.zeros_like(parameter))

    def _optimizers(self) -> tuple[tuple[str, torch.optim.Adam, nn.Module], ...]:
        return (
            ("generator_optimizer", self.generator_optimizer, self.generator),
            ("discriminator_optimizer", self.discriminator_optimizer, self.discriminator),
        )

    def _add_gradients(self, loss: Tensor) -> None:
        """Of the mean over micro-batches."""
        torch.autograd.backward(loss / self.micro_batches)

    def _parts(self, numbers: Tensor) -> list[Tensor]:
        return [self._part(numbers, m) for m in range(self.micro_batches)]

    def _part(self, values: Any, m: int) -> Any:
        """Micro-batch m of a tensor, or None of None: every M-th sample, see `MinibatchDeviation`."""
        return None if values is None else values[m :: self.micro_batches]

    def _fakes(self, numbers: Tensor, step: int) -> Fakes:
        seed, dataset, samples = self.run.train.seed, self.dataset, numbers.tolist()
        times, drawn = map(np.stack, zip(*(dataset.fake(s, seed=seed, purpose=step) for s in samples), strict=True))
        labels = torch.from_numpy(drawn).to(self.device) if self.run.model.num_classes else None
        return Fakes(2 * numbers + step, torch.from_numpy(times).to(self.device, torch.float32), labels)

    def _generate(self, fakes: Fakes) -> tuple[Tensor, Tensor]:
        """Frames of videos, and the mean of their w."""
        seed, model = self.run.train.seed, self.run.model
        numbers = fakes.numbers.to(self.device)
        z = normal(seed, Purpose.CONTENT, numbers, 0, model.z_dim)
        w = self.generator.mapping(z, fakes.labels)
        noise = keyed_noise(seed, numbers, model.noise_dim)
        return self.generator.render(w, fakes.times, noise, fakes.labels), w.detach().mean(dim=0)

    def _augment(self, frames: Tensor, purpose: Purpose, samples: Tensor) -> Tensor:
        return augment(frames, self.probability.p, seed=self.run.train.seed, purpose=purpose, samples=samples)

    def _track(self, means: list[Tensor]) -> None:
        mean = torch.stack(means).mean(dim=0)
        distributed.average([mean])
        self.generator.mapping.track(mean)


def _adam(network: nn.Module, learning_rate: float, *, interval: int) -> torch.optim.Adam:
    """Adam with the factor n / (n + 1) of a regulariser that runs every n steps (Karras et al. 2020, appendix B)."""
    factor = interval / (interval + 1)
    return torch.optim.Adam(network.parameters(), lr=learning_rate * factor, betas=(0.0, 0.99**factor), eps=1e-8)


def _apply(network: nn.Module, optimizer: torch.optim.Adam) -> None:
    """Average gradients over processes, take the step, and forget them. What is not finite becomes 0, or 1e5."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    distributed.average(gradients)
    for gradient in gradients:
        torch.nan_to_num(gradient, nan=0.0, posinf=_LARGEST_GRADIENT, neginf=-_LARGEST_GRADIENT, out=gradient)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
