"""MoCoGAN: frames by a DCGAN, from a content code that stays and a motion code that a GRU moves on.

Two discriminators learn beside it, one of single frames and one of 16 consecutive frames, all three with binary
cross-entropy. It is the model without categories and InfoGAN, as videos without labels need it. At 64² the networks are
those of the original. What made its frames larger in the paper's tables is not published: at 128² there is one layer
more in the generator here, half as wide, and at 256² nothing.

The state of the GRU stays bounded, but only the first 16 positions are ever trained, so long videos repeat themselves.

Source: Tulyakov et al. 2018, "MoCoGAN: decomposing motion and content for video generation", and
sergeytulyakov/mocogan for sizes and settings. Its loader takes every second frame, whatever its options say; with
`stride` = 2 this one does too, and videos then move twice as fast as those that they are learned from.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stylegan_v import distributed
from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.data.times import WHOLE_VIDEO, ClipRule
from stylegan_v.errors import ConfigError
from stylegan_v.methods.config import MethodConfig
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers, StageRun, Trainer
from stylegan_v.networks.clip_discriminator import (
    ClipDiscriminator,
    InstanceNoise,
    begin_noise,
    clip_frames,
    clip_halvings,
    halving_layers,
    initialise,
)
from stylegan_v.networks.loss import softplus_loss
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal, uniform
from stylegan_v.networks.pixels import normalise
from stylegan_v.networks.recurrent import Walk
from stylegan_v.networks.video_generator import Clip, Draw, VideoGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class MoCoGANConfig(MethodConfig):
    """Sizes of the networks.

    frames: of a clip, as many as the discriminator of clips needs at least. stride: frames from one to the next.
    content_dim, motion_dim: size of z_C, and of z_M, which is the state and the input of the GRU.
    width: channels of the generator at 32²; they double towards 4². image_width, clip_width: channels of the first
    layers of the discriminators. image_patches, clip_patches: whether these judge patches, or all that they see.
    noise: σ before their layers.
    """

    method: ClassVar[str] = "mocogan"
    resolutions: ClassVar[tuple[int, ...]] = (32, 64, 128)

    stride: int = 1
    content_dim: int = 50
    motion_dim: int = 10
    width: int = 64
    image_width: int = 64
    clip_width: int = 64
    image_patches: bool = True
    clip_patches: bool = False
    noise: float = 0.1

    def __post_init__(self) -> None:
        MethodConfig.__post_init__(self)
        if self.frames < (least := clip_frames(self.resolution)):
            raise ConfigError(f"frames = {self.frames}: the discriminator of clips needs {least} at {self.resolution}²")
        if self.width < 2:
            raise ConfigError(f"width = {self.width}: expected 2 or more, which are halved at 64²")

    def channels(self) -> list[int]:
        """Return the channels of the generator at 4², 8², … , and 3 at the resolution."""
        return [*(8 * self.width >> place for place in range(self.resolution.bit_length() - 3)), 3]


class MoCoGANGenerator(VideoGenerator):
    """G_I, a DCGAN, of [z_C; z_M(t)], where z_M is the state of R_M, a GRU that noise drives."""

    recurrent = "motion codes: a step of a GRU for each frame, from the first frame on"
    config: MoCoGANConfig

    def __init__(self, config: MoCoGANConfig) -> None:
        super().__init__()
        self.config = config
        self.motion = nn.GRU(config.motion_dim, config.motion_dim, batch_first=True)
        channels = config.channels()
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(config.content_dim + config.motion_dim, channels[0], 4, bias=False)
        ]
        for before, after in itertools.pairwise(channels):
            layers += [nn.BatchNorm2d(before), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False))
        self.image = nn.Sequential(*layers, nn.Tanh()).apply(initialise)

    def frames(self, content: Tensor, motion: Tensor) -> Tensor:
        """Return frames [N, 3, R, R] of z_C, [N, content_dim], and z_M, [N, motion_dim]."""
        frames: Tensor = self.image(torch.cat([content, motion], dim=1)[:, :, None, None])
        return frames

    def content(self, seed: int, videos: Tensor) -> Tensor:
        """Draw z_C of videos: [B, content_dim]."""
        return normal(seed, Purpose.CONTENT, videos, 0, self.config.content_dim)

    def codes(self, seed: int, videos: Tensor) -> Tensor:
        """Draw z_M of the first frames of videos, as many as a clip has: [B, T, motion_dim]."""
        tokens = torch.arange(1 + self.config.frames, device=videos.device)[None]
        noise = keyed_noise(seed, videos, self.config.motion_dim)(tokens)
        states: Tensor = self.motion(noise[:, 1:], noise[None, :, 0].contiguous())[0]
        return states

    def open(self, draw: Draw) -> Sequence[Clip]:
        """Return a video whose GRU goes on from the last frame that was asked for."""
        content = self.content(draw.seed, draw.content)
        noise = keyed_noise(draw.seed, draw.motion, self.config.motion_dim)
        first = noise(torch.zeros_like(draw.motion)[:, None])  # h_0, from N(0, 1) as all noise
        walk = Walk(self.motion, lambda tokens: noise(tokens[None] + 1)[0], state=first)
        return [lambda times: self.frames(content.expand(len(times), -1), walk.at(times.long().tolist()))]


class ImageDiscriminator(nn.Module):
    """D_I, from single frames to logits: convolutions of 4² that halve them, and one to logits."""

    def __init__(self, config: MoCoGANConfig) -> None:
        super().__init__()
        patches, sigma = config.image_patches, config.noise
        halvings = clip_halvings(config.resolution) - patches
        widths = [3, *(config.image_width * 2**place for place in range(halvings))]
        layers = halving_layers(widths, sigma=sigma, clips=False)
        layers += [InstanceNoise(sigma)] if sigma and patches else []
        layers.append(nn.Conv2d(widths[-1], 1, 4, stride=1 + patches, padding=int(patches), bias=False))
        self.layers = nn.Sequential(*layers).apply(initialise)

    def forward(self, frames: Tensor) -> Tensor:
        """Return logits [N, 1, h, w]: of patches, or 1 by 1 of the whole frame up to 64². frames: [N, 3, R, R]."""
        logits: Tensor = self.layers(frames)
        return logits


def make_clip_discriminator(config: MoCoGANConfig) -> ClipDiscriminator:
    """Make D_V."""
    return ClipDiscriminator(
        config.resolution, width=config.clip_width, sigma=config.noise, patches=config.clip_patches
    )


class MoCoGANTrainer(Trainer):
    """A step of D_I, one of D_V, and one of the generator against both."""

    makes: ClassVar[Makers] = {
        "generator": MoCoGANGenerator,
        "image_discriminator": ImageDiscriminator,
        "clip_discriminator": make_clip_discriminator,
    }
    averages = False

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return consecutive frames, from anywhere in a video. model: a `MoCoGANConfig`."""
        return ClipRule(frames=model.frames, max_frames=WHOLE_VIDEO, spans="consecutive", stride=model.stride)

    def __init__(self, run: StageRun, dataset: VideoDataset, device: torch.device) -> None:
        super().__init__(run, dataset, device)
        self.discriminators = {name: self.networks[name] for name in ("image_discriminator", "clip_discriminator")}
        for name, network in self.networks.items():
            rate = run.train.learning_rate or 2e-4
            self.optimizers[name] = torch.optim.Adam(
                network.parameters(), lr=rate, betas=(0.5, 0.999), weight_decay=1e-5, fused=True
            )

    def update(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        for place, network in enumerate(self.discriminators.values()):
            begin_noise(network, (self.run.train.seed, self.steps, distributed.rank(), place))
        clips = normalise(batch.frames)
        where = uniform(self.run.train.seed, Purpose.REAL_TIMES, numbers, 1, 1)  # token 0 said where the clips begin
        with torch.no_grad():
            fakes = self._generate(2 * numbers)
        logs = {}
        for (name, discriminator), real, fake in zip(
            self.discriminators.items(), (_chosen(clips, where), clips), fakes, strict=True
        ):
            loss = softplus_loss(discriminator(real), real=True) + softplus_loss(discriminator(fake), real=False)
            torch.autograd.backward(loss)
            self.apply(name)
            logs[f"loss/{name}"] = loss.detach()
        return logs | self._update_generator(2 * numbers + 1)

    def _update_generator(self, videos: Tensor) -> dict[str, Tensor]:
        for discriminator in self.discriminators.values():
            discriminator.requires_grad_(False)
        judged = zip(self.discriminators.values(), self._generate(videos), strict=True)
        loss = torch.stack([softplus_loss(judge(fake), real=True) for judge, fake in judged]).sum()
        torch.autograd.backward(loss)
        for discriminator in self.discriminators.values():
            discriminator.requires_grad_(True)
        self.apply("generator")
        return {"loss/generator": loss.detach()}

    def _generate(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Return single frames, [B, 3, R, R], and clips of other videos, [B, T, 3, R, R].

        Each frame is of a video of its own, and at any place of a clip.
        """
        seed, generator = self.run.train.seed, self.networks["generator"]
        alone, together = 2 * videos, 2 * videos + 1
        codes = _chosen(generator.codes(seed, alone), uniform(seed, Purpose.FAKE_TIMES, alone, 0, 1))
        images = generator.frames(generator.content(seed, alone), codes)
        content, codes = generator.content(seed, together), generator.codes(seed, together)
        frames = generator.frames(content.repeat_interleave(codes.shape[1], dim=0), codes.flatten(0, 1))
        return images, frames.unflatten(0, codes.shape[:2])


def _chosen(sequences: Tensor, where: Tensor) -> Tensor:
    """Return one place of each sequence. sequences: [B, T, ...]; where: numbers in (0, 1), [B, 1]."""
    places = (where[:, 0] * sequences.shape[1]).long()
    return sequences[torch.arange(len(sequences), device=sequences.device), places]


class MoCoGAN(Method):
    """MoCoGAN of the paper's tables."""

    name = "mocogan"
    config = MoCoGANConfig
    presets: ClassVar = {
        "paper": {"resolution": 64},
        # The discriminators see most of the arithmetic, so they alone are narrower.
        "small": {"resolution": 64, "image_width": 32, "clip_width": 16},
        "tiny": {"resolution": 32, "frames": 13, "width": 8, "image_width": 8, "clip_width": 8},
    }
    budgets: ClassVar = {
        # 100,000 steps of 32 clips, as the authors' instructions have it.
        "paper": {"train": {"batch": 32, "kimg": 51200.0}},
        "small": {**BUDGETS["small"], "train": {"batch": 16, "kimg": BUDGETS["small"]["train"]["kimg"]}},
    }
    unused = OF_STYLEGAN_V | {
        "ada", "ada_target", "ada_kimg", "r1_gamma", "r1_interval", "lazy_interval", "ema_kimg", "ema_rampup",
        "precision", "micro_batch", "discriminator_kimg",
    }  # fmt: skip

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(MoCoGANTrainer),)


METHOD = MoCoGAN()
