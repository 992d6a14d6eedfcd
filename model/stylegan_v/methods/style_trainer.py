"""One step of training of StyleGAN-V: the generator, the discriminator, its R1, and augmentation.

Source: paper appendix B.1 (loss and optimiser); Karras et al. 2020 for what the paper leaves to StyleGAN2-ADA.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stylegan_v import distributed
from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.data.times import ClipRule
from stylegan_v.errors import ConfigError
from stylegan_v.methods.cuda_graph import Recorded
from stylegan_v.methods.mismatched_clips import FEWEST_CLIPS, mismatched
from stylegan_v.methods.step_clips import Augmentations, Fakes, Reals, Videos, augmented, part
from stylegan_v.methods.trainer import Makers, StageRun, Trainer
from stylegan_v.networks.adaptive_augment import AdaptiveProbability
from stylegan_v.networks.augment import plan
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator, half_precision
from stylegan_v.networks.loss import discriminator_loss, generator_loss, r1_penalty, softplus_loss
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.pixels import normalise

_GENERATOR, _DISCRIMINATOR = 0, 1
"""The two steps that videos are generated for. The videos of training sample s have the numbers 2 s + step."""

_GENERATOR_PASSES, _DISCRIMINATOR_PASSES, _MISMATCHED_PASSES = 4.0, 8.4, 3.0
"""What a step is made of, see `StyleTrainer.rehearse`."""


class StyleTrainer(Trainer):
    """Both networks of StyleGAN-V, and the probability of augmentation."""

    makes: ClassVar[Makers] = {"generator": Generator, "discriminator": Discriminator}
    generator: Generator
    ema: Generator
    discriminator: Discriminator

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return the k frames of section 3.3 of the paper. model: a `ModelConfig`."""
        return ClipRule(frames=model.frames, max_frames=model.max_frames, max_span=model.max_span, spans=model.spans)

    @staticmethod
    def group(run: StageRun) -> int:
        """Return the videos of a minibatch deviation."""
        return videos_together(run, 1)

    def __init__(self, run: StageRun, dataset: VideoDataset, device: torch.device) -> None:
        super().__init__(run, dataset, device)
        if run.train.mismatched_weight and (run.model.frames < 2 or self.share < FEWEST_CLIPS):
            raise ConfigError(
                f"mismatched_weight = {run.train.mismatched_weight} mixes frames of clips, at least {FEWEST_CLIPS} "
                f"clips of at least 2 frames in a process: these are {self.share} of {run.model.frames}; set it to 0 "
                "in [train], or raise batch or frames"
            )
        self._times = dataset.times.to(device)
        self._labels = torch.from_numpy(dataset.labels).to(device)
        self.generator, self.discriminator = self.networks["generator"], self.networks["discriminator"]
        for name, interval in (("generator", run.train.lazy_interval), ("discriminator", run.train.r1_interval)):
            self.optimizers[name] = self.adam(self.networks[name], interval)
        self.probability = AdaptiveProbability(
            batch_videos=run.train.batch, target=run.train.ada_target, kimg=run.train.ada_kimg, device=device
        )
        half = half_precision(run.train.precision, device)
        for network in (self.generator, self.discriminator):
            network.use_half(half)
        self._discriminate: Callable[..., Tensor] = self.discriminator
        if run.train.compile:
            self.generator.synthesis.compile()
            self._discriminate = torch.compile(self.discriminator)  # not for R1, which differentiates twice
        self._recorded: dict[tuple[bool, bool], Recorded] = {}  # see `_update`
        if run.train.cuda_graphs:
            if device.type != "cuda" or distributed.world() > 1:
                raise ConfigError("cuda_graphs = true needs a GPU, and one process: set it to false in [train]")
            for r1, both in itertools.product((False, True), repeat=2):
                self._recorded[r1, both] = Recorded(functools.partial(self._update, r1, both))

    @property
    def gamma(self) -> float:
        """The weight of R1: 0.2048 for 64 videos of 256²."""
        return self.run.train.r1_gamma or 0.0002 * self.run.model.resolution**2 / self.run.train.batch

    @property
    def learning_rate(self) -> float:
        """The learning rate of both networks, before the factors of lazy regularisation."""
        return self.run.train.learning_rate or (0.002 if self.run.model.resolution >= 1024 else 0.0025)

    def adam(self, network: nn.Module, interval: int) -> torch.optim.Optimizer:
        """Make Adam, scaled by n / (n + 1) for a regulariser that runs every n steps.

        Source: Karras et al. 2020, appendix B.
        """
        factor = interval / (interval + 1)
        return torch.optim.Adam(
            self.groups(network, self.learning_rate * factor),
            lr=self.learning_rate * factor,
            betas=(0.0, 0.99**factor),
            eps=1e-8,
            fused=True,
            capturable=self.run.train.cuda_graphs,
        )

    def groups(self, network: nn.Module, rate: float) -> Any:  # Any: all that Adam takes
        """Return the parameters of a network, in groups where some of them learn at another rate."""
        return network.parameters()

    def update(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Take a step of each network, with R1 every r1_interval steps, and let augmentation follow."""
        r1 = self.steps % self.run.train.r1_interval == 0
        both = self.steps * self.run.kimg_per_step >= self.run.train.discriminator_kimg
        work = self._recorded.get((r1, both)) or functools.partial(self._update, r1, both)
        logs = work(numbers, batch)
        self.update_augment(logs)
        return logs

    def watched(self) -> dict[str, float]:
        return {"augment/probability": self.probability.p}

    @torch.no_grad()
    def rehearse(self) -> float | None:
        """Return about how many seconds a step takes on this CPU, from how long either network takes for few videos.

        Nothing changes. In units of a network's pass over the batch, a step is 4 of the generator's and 8.4 of the
        discriminator's, passes backward and R1 counted (docs/model.md), and 3 more where clips are mismatched.
        """
        few = torch.arange(min(self.run.model.std_group, self.share), device=self.device)
        times, videos = self._times.fake(self.run.train.seed, few)
        labels = self._labels[videos] if self.run.model.num_classes else None
        fakes = Fakes(few, times.to(torch.float32), labels, None)
        passes = _DISCRIMINATOR_PASSES + _MISMATCHED_PASSES * (self.run.train.mismatched_weight > 0)
        seconds = 0.0
        for _ in range(2):  # the first time is longer
            began = time.monotonic()
            frames, _ = self._generate(fakes)
            made = time.monotonic()
            self.discriminator(frames, fakes.times, fakes.labels)
            seconds = _GENERATOR_PASSES * (made - began) + passes * (time.monotonic() - made)
        return seconds * self.share / len(few)

    def _update(self, r1: bool, both: bool, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Take a step of each network. r1: of R1 too. both: whether the generator learns, too.

        numbers: int64 [B], of the training samples.
        """
        generator_fakes, discriminator_fakes, reals = self._draw(numbers, batch)
        logs = self.update_generator(generator_fakes) if both else {}
        logs |= self.update_discriminator(discriminator_fakes, reals)
        return logs | self.update_r1(reals) if r1 else logs

    def update_generator(self, fakes: Fakes) -> dict[str, Tensor]:
        """Take one step of the generator against the discriminator as it is."""
        self.discriminator.requires_grad_(False)
        losses, means = [], []
        for batch in self._micro_batches(fakes):
            frames, mean = self._generate(batch)
            logits = self._discriminate(augmented(frames, batch.augmentations), batch.times, batch.labels)
            loss = self.fooled(logits)
            self._add_gradients(loss)
            losses.append(loss.detach())
            means.append(mean)
        self.discriminator.requires_grad_(True)
        self._track(means)
        self.apply("generator")
        return {"loss/generator": torch.stack(losses).mean()}

    def update_discriminator(self, fakes: Fakes, reals: Reals) -> dict[str, Tensor]:
        """Take one step of the discriminator on real and generated videos, and on mismatched ones if these count."""
        losses, means, real_logits, fake_logits, wrong_logits = [], [], [], [], []
        weight = self.run.train.mismatched_weight
        split = self._micro_batches
        wrongs: list[Reals | None] = [None] * self.micro_batches
        if weight:
            wrongs = [*split(mismatched(reals, max_span=self.run.model.max_span))]
        for made, given, wrong in zip(split(fakes), split(reals), wrongs, strict=True):
            with torch.no_grad():
                frames, mean = self._generate(made)
                frames = augmented(frames, made.augmentations)
            fake = self._discriminate(frames, made.times, made.labels)
            real = self._of_reals(given)
            loss = self.told_apart(real, fake)
            if wrong is not None:
                mismatch = self._of_reals(wrong)
                loss = loss + weight * softplus_loss(mismatch, real=False)
                wrong_logits.append(mismatch.detach())
            self._add_gradients(loss)
            losses.append(loss.detach())
            means.append(mean)
            real_logits.append(real.detach())
            fake_logits.append(fake.detach())
        self._track(means)
        self.apply("discriminator")
        signs = self.of_images(torch.cat(real_logits)).sign()
        mean_of_wrong = {"logits/mismatched": torch.cat(wrong_logits).mean()} if wrong_logits else {}
        return {
            "loss/discriminator": torch.stack(losses).mean(),
            "logits/real": torch.cat(real_logits).mean(),
            "logits/fake": torch.cat(fake_logits).mean(),
            "logits/real_sign": signs.mean(),
            **mean_of_wrong,
        }

    def update_r1(self, reals: Reals) -> dict[str, Tensor]:
        """Take one step of the discriminator on R1 alone, with the weight of all steps in its interval."""
        weight = self.gamma / 2 * self.run.train.r1_interval
        penalties = []
        for batch in self._micro_batches(reals):
            videos = batch.frames.detach().requires_grad_()
            logits = self.image_logits(augmented(videos, batch.r1_augmentations), batch.times, batch.labels)
            penalty = r1_penalty(logits, videos)
            self._add_gradients(penalty * weight)
            penalties.append(penalty.detach())
        self.apply("discriminator")
        return {"loss/r1": torch.stack(penalties).mean()}

    def fooled(self, fake: Tensor) -> Tensor:
        """Return the generator's loss. fake: logits of generated videos."""
        return generator_loss(fake)

    def told_apart(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss of logits of real and of generated videos."""
        return discriminator_loss(real, fake)

    def of_images(self, logits: Tensor) -> Tensor:
        """Return the logits whose signs augmentation looks at."""
        return logits

    def image_logits(self, frames: Tensor, times: Tensor, labels: Tensor | None) -> Tensor:
        """Return the logits that R1 bounds the gradients of."""
        logits: Tensor = self.discriminator(frames, times, labels)
        return logits

    def update_augment(self, logs: Mapping[str, Tensor]) -> None:
        """Let the probability of augmentation follow the signs of the real logits."""
        if self.run.train.ada:
            sign = logs["logits/real_sign"].double()
            distributed.average([sign])
            self.probability.update(sign * self.run.train.batch, self.run.train.batch)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "augment": self.probability.state_dict()}

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        super().load(tensors, state)
        self.probability.load_state_dict(state["augment"])

    def _micro_batches(self, videos: Videos) -> list[Videos]:
        """Split into micro-batches. Each takes every M-th video, see `MinibatchDeviation`."""
        return [part(videos, slice(m, None, self.micro_batches)) for m in range(self.micro_batches)]

    def _of_reals(self, clips: Reals) -> Tensor:
        return self._discriminate(augmented(clips.frames, clips.augmentations), clips.times, clips.labels)

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
        return part(fakes, slice(0, self.share)), part(fakes, slice(self.share, None)), reals

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


def videos_together(run: StageRun, images: int) -> int:
    """Return how many videos a minibatch deviation has to see together, which sees so many images of each."""
    group: int = run.model.std_group
    least = min(group, run.train.batch)
    return least if least * images <= group or least * images % group == 0 else group
