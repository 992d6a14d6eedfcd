"""DIGAN (Yu et al. 2022, "Generating videos with dynamics-aware implicit generative adversarial networks").

A frame is a function of coordinates: 1×1 convolutions (INR-GAN, Skorokhodov et al. 2021) whose input at each place is
sines and cosines of θ(x, t) = √10 W(w) x + b(w) + m(w, z_m, t). Motion is the damped phase m, which one code z_m makes
for all times. It is the same for all places, so the image plane slides. Two discriminators, both StyleGAN2's, look at
pairs: one at each frame, and one at both frames beside the time between them.

t is 0 at the first and 1 at the last of the 16 frames of a training window, and i / 15 at frame i, beyond them too. So
more frames in [0, 1] are slow motion, not a longer video.

Source: sihyun-yu/digan, from measurements of it; each part names what it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stylegan_v.baselines.diff_augment import DiffAugmentations, plan
from stylegan_v.baselines.digan_config import DIGANConfig
from stylegan_v.baselines.inr import Synthesis
from stylegan_v.data.times import ClipRule
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.step_clips import Reals
from stylegan_v.methods.style_trainer import StyleTrainer, videos_together
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers, StageRun
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Mapping
from stylegan_v.networks.loss import r1_penalty, softplus_loss
from stylegan_v.networks.motion import Noise, keyed_noise
from stylegan_v.networks.video_generator import Clip, Draw, VideoGenerator


class DIGANGenerator(VideoGenerator):
    """A network of coordinates with one motion code for all of a video. All of it computes in float32."""

    continuous = True
    truncates = True
    config: DIGANConfig

    def __init__(self, config: DIGANConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config.image())
        self.synthesis = Synthesis(config)

    def render(self, w: Tensor, times: Tensor, noise: Noise, labels: Tensor | None = None) -> Tensor:
        """Return frames [B, T, 3, R, R]. w: [B, w_dim]; times: [B, T], in frames. There are no labels.

        noise: its first vector is z_m.
        """
        code = noise(torch.zeros(len(w), 1, dtype=torch.int64, device=w.device))[:, 0]
        frames: Tensor = self.synthesis(w, code, times / (self.config.max_frames - 1))
        return frames

    def open(self, draw: Draw) -> Sequence[Clip]:
        """Return a video, any of whose frames can be had without the others."""
        w = self.mapping.drawn(draw)
        noise = keyed_noise(draw.seed, draw.motion, self.config.noise_dim)
        return [lambda times: self.render(w, times[None], noise)[0]]

    def use_half(self, dtype: torch.dtype | None) -> None:
        """Stay in float32, in which DIGAN's generator is trained."""


class PairDiscriminators(nn.Module):
    """StyleGAN2's discriminator at each frame of a pair, and another one at seven channels: both frames and their Δ."""

    def __init__(self, config: DIGANConfig) -> None:
        super().__init__()
        self.image = Discriminator(config.image())
        self.pair = Discriminator(config.image(), colours=7)
        self.longest = config.max_frames - 1

    def forward(self, frames: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [B, 3]: of both frames, and of the pair. frames: [B, 2, 3, R, R]; times: [B, 2], in frames."""
        pairs = join(frames, self.distances(times, frames.shape[-1]))
        return torch.cat([self.image.of_frames(frames), self.of_pairs(pairs)[:, None]], dim=1)

    def of_pairs(self, pairs: Tensor) -> Tensor:
        """Return the logits of pairs, [B]. pairs: as of `join`."""
        logits: Tensor = self.pair(pairs, pairs.new_zeros(len(pairs), 1))
        return logits

    def distances(self, times: Tensor, size: int) -> Tensor:
        """Return Δ at all places, [B, 1, 1, size, size]: 0 to 1, for a pair as far apart as a window's ends."""
        return (times.diff(dim=1) / self.longest)[:, :, None, None, None].expand(-1, -1, -1, size, size)

    def use_half(self, dtype: torch.dtype | None) -> None:
        """Run the blocks of the highest resolutions in float16 or bfloat16, or with None in the parameters' type."""
        self.image.use_half(dtype)
        self.pair.use_half(dtype)


def join(frames: Tensor, distances: Tensor) -> Tensor:
    """Put pairs of frames, [B, 2, 3, R, R], and their distances, [B, 1, 1, R, R], into channels: [B, 1, 7, R, R]."""
    return torch.cat([frames.flatten(1, 2)[:, None], distances], dim=2)


class DIGANTrainer(StyleTrainer):
    """A step of StyleGAN2 with two discriminators, R1 on both, and DiffAugment in place of adaptive augmentation."""

    makes: ClassVar[Makers] = {"generator": DIGANGenerator, "discriminator": PairDiscriminators}

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return pairs at Beta times, the earlier frame first. model: a `DIGANConfig`."""
        return ClipRule(frames=2, max_frames=model.max_frames, spans="beta")

    @staticmethod
    def group(run: StageRun) -> int:
        """Return the videos of a minibatch deviation of the discriminator of frames."""
        return videos_together(run, run.model.frames)

    def fooled(self, fake: Tensor) -> Tensor:
        """Return the generator's loss: the mean over frames, and that over pairs, alike."""
        return softplus_loss(fake[:, :2], real=True) + softplus_loss(fake[:, 2], real=True)

    def told_apart(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the loss of both discriminators."""
        return self.fooled(real) + softplus_loss(fake[:, :2], real=False) + softplus_loss(fake[:, 2], real=False)

    def of_images(self, logits: Tensor) -> Tensor:
        """Return the logits of frames."""
        return logits[:, :2]

    def update_r1(self, reals: Reals) -> dict[str, Tensor]:
        """Take one step of both discriminators on R1 alone.

        That of frames bounds gradients by augmented frames, that of pairs those by all seven channels before
        augmentation.
        """
        discriminator = self.networks["discriminator"]
        weight = self.gamma / 2 * self.run.train.r1_interval
        logs = []
        for batch in self._micro_batches(reals):
            assert batch.r1_augmentations is not None
            pairs = join(batch.frames, discriminator.distances(batch.times, batch.frames.shape[-1])).requires_grad_()
            seen = batch.r1_augmentations(pairs[:, 0, :6].reshape(batch.frames.shape))
            of_pairs = r1_penalty(discriminator.of_pairs(join(seen, pairs[:, :, 6:])), pairs)
            frames = seen.detach().requires_grad_()
            of_frames = r1_penalty(discriminator.image.of_frames(frames), frames)
            self._add_gradients((of_frames + of_pairs) * weight)
            logs.append(torch.stack([of_frames, of_pairs]).detach())
        self.apply("discriminator")
        of_frames, of_pairs = torch.stack(logs).mean(dim=0).unbind(0)
        return {"loss/r1": of_frames, "loss/r1_pairs": of_pairs}

    def update_augment(self, logs: object) -> None:
        """Leave augmentation as it is: it does not adapt."""

    def watched(self) -> dict[str, float]:
        return {}

    def _plan(self, fakes: Tensor, reals: Tensor) -> DiffAugmentations:
        return plan(self.run.train.seed, fakes, reals, resolution=self.run.model.resolution)


_SMALL = {**dict.fromkeys(("z_dim", "w_dim", "noise_dim", "channel_max"), 224), "channel_base": 2048}
_TRAIN = {"r1_gamma": 1.0, "ema_rampup": 0.025}  # 0.05 of the pairs seen, which are two frames each


class DIGAN(Method):
    """DIGAN of the paper's tables."""

    name = "digan"
    config = DIGANConfig
    presets: ClassVar = {
        "paper": {"resolution": 256},
        # As many parameters and as much work for a frame as StyleGAN-V's generator of that name has.
        "small": {**_SMALL, "resolution": 64, "width": 128, "frequencies": 32, "rank": 8},
        "tiny": {
            **dict.fromkeys(("z_dim", "w_dim", "noise_dim", "channel_max", "frequencies"), 8),
            "resolution": 32, "width": 16, "grid": 16, "rank": 2, "channel_base": 2048, "std_group": 2,
        },
    }  # fmt: skip
    budgets: ClassVar = {
        "paper": {"train": {**_TRAIN, "kimg": 50000.0}},  # 25 million pairs
        "small": {
            "train": {**_TRAIN, "kimg": 100.0, "batch": 8, "ema_kimg": 2.0},
            "report": BUDGETS["small"]["report"],
        },
        "tiny": {"train": _TRAIN},
    }
    unused = OF_STYLEGAN_V | {"ada", "ada_target", "ada_kimg"}

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(DIGANTrainer),)


METHOD = DIGAN()
