"""MoCoGAN with the backbone of StyleGAN2, the baseline that the paper calls MoCoGAN+SG2.

Content is StyleGAN2's w. Motion is an LSTM over noise, a step for each frame, always from the first frame on; the code
of a frame joins w in all styles. Two discriminators look at 16 consecutive frames: StyleGAN2's at each frame (k = 1),
with R1, and MoCoGAN's at the clip, which learns ten times slower. Clips begin anywhere in a video, so the LSTM also
learns late frames.

Source: universome/stylegan-v, `model=mocogan`; blocks and the rule for learning rates are StyleGAN-V's. What its table
was made with is not all published: `max_num_frames`, which is `max_frames` here, and the stride, which is 1 here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stylegan_v import distributed
from stylegan_v.data.clips import Batch
from stylegan_v.data.times import ClipRule
from stylegan_v.errors import ConfigError
from stylegan_v.methods.config import MethodConfig
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.style_trainer import StyleTrainer, videos_together
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers, StageRun
from stylegan_v.networks.clip_discriminator import ClipDiscriminator, begin_noise, clip_frames
from stylegan_v.networks.config import ModelConfig, image_config
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Mapping, StyledGenerator, Synthesis
from stylegan_v.networks.layers import FullyConnected, normalise
from stylegan_v.networks.loss import softplus_loss
from stylegan_v.networks.motion import Noise, keyed_noise
from stylegan_v.networks.recurrent import Walk
from stylegan_v.networks.video_generator import Clip, Draw


@dataclass(frozen=True, slots=True, kw_only=True)
class MoCoGANSG2Config(MethodConfig):
    """Sizes of the networks.

    frames: of a clip, as many as the discriminator of clips needs at least. stride: frames from one to the next.
    z_dim, w_dim: as in `ModelConfig`. noise_dim, motion_dim: size of the LSTM's input, and of its output and its code.
    max_frames: clips come from windows of so many frames, and no later step of the LSTM is trained.
    channel_base, channel_max, std_group: as in `ModelConfig`. clip_width: channels of the discriminator of clips.
    noise: σ before its layers.
    """

    method: ClassVar[str] = "mocogan-sg2"

    stride: int = 1
    z_dim: int = 512
    w_dim: int = 512
    noise_dim: int = 512
    motion_dim: int = 512
    max_frames: int = 1024
    channel_base: int = 16384
    channel_max: int = 512
    std_group: int = 4
    clip_width: int = 64
    noise: float = 0.1

    def __post_init__(self) -> None:
        MethodConfig.__post_init__(self)
        if self.frames < (least := clip_frames(self.resolution)):
            raise ConfigError(f"frames = {self.frames}: the discriminator of clips needs {least} at {self.resolution}²")
        if self.max_frames < (length := (self.frames - 1) * self.stride + 1):
            raise ConfigError(f"max_frames = {self.max_frames}: a clip spans {length} frames")

    def image(self) -> ModelConfig:
        """Return StyleGAN2's part, whose frames are single images."""
        return image_config(self)


class Motion(nn.Module):
    """An LSTM over noise vectors, and two layers, with a hundredth of the learning rate, from its output to a code."""

    def __init__(self, config: MoCoGANSG2Config) -> None:
        super().__init__()
        self.lstm = nn.LSTM(config.noise_dim, config.motion_dim, batch_first=True)
        width = config.motion_dim
        self.layers = nn.Sequential(
            *(FullyConnected(width, width, lr_multiplier=0.01, activation="lrelu") for _ in range(2))
        )

    def forward(self, noise: Noise, tokens: Tensor, length: int) -> Tensor:
        """Return codes at tokens, int64 [B, T] below length, of the first `length` steps: [B, T, motion_dim]."""
        steps = torch.arange(length, device=tokens.device).expand(len(tokens), -1)
        outputs, _ = self.lstm(noise(steps))
        return self.codes(outputs.gather(1, tokens[:, :, None].expand(-1, -1, outputs.shape[2])))

    def codes(self, outputs: Tensor) -> Tensor:
        """Turn outputs of the LSTM into codes: [..., motion_dim] each."""
        codes: Tensor = self.layers(normalise(outputs))
        return codes


class MoCoGANSG2Generator(StyledGenerator):
    """StyleGAN2 whose styles are [w; v_t]."""

    recurrent = "motion codes: a step of an LSTM for each frame, from the first frame on"
    config: MoCoGANSG2Config

    def __init__(self, config: MoCoGANSG2Config) -> None:
        super().__init__()
        image = config.image()
        self.config = config
        self.mapping = Mapping(image)
        self.motion = Motion(config)
        self.synthesis = Synthesis(dataclasses.replace(image, w_dim=config.w_dim + config.motion_dim))

    def render(self, w: Tensor, times: Tensor, noise: Noise, labels: Tensor | None = None) -> Tensor:
        """Return frames [B, T, 3, R, R]. w: [B, w_dim]; times: whole numbers, [B, T]. There are no labels."""
        tokens = times.long()
        on_cpu = times.device.type == "cpu"  # where reading a time waits for nothing
        length = int(tokens.max()) + 1 if on_cpu else self.config.max_frames
        return self.frames(w, self.motion(noise, tokens, length))

    def frames(self, w: Tensor, v: Tensor) -> Tensor:
        """Return frames [B, T, 3, R, R] of content w, [B, w_dim], and motion codes v, [B, T, motion_dim]."""
        return self.frames_of_styles(torch.cat([w[:, None].expand(-1, v.shape[1], -1), v], dim=2))

    def open(self, draw: Draw) -> Sequence[Clip]:
        """Return a video whose LSTM goes on from the last frame that was asked for."""
        w = self.mapping.drawn(draw)
        noise = keyed_noise(draw.seed, draw.motion, self.config.noise_dim)
        walk = Walk(self.motion.lstm, lambda tokens: noise(tokens[None])[0])
        return [lambda times: self.frames(w, self.motion.codes(walk.at(times.long().tolist()))[None])[0]]


class TwoDiscriminators(nn.Module):
    """StyleGAN2's discriminator at each frame, and MoCoGAN's at the clip."""

    def __init__(self, config: MoCoGANSG2Config) -> None:
        super().__init__()
        self.image = Discriminator(config.image())
        plain = 2 if config.resolution >= 256 else 0
        self.clip = ClipDiscriminator(
            config.resolution, width=config.clip_width, sigma=config.noise, plain_blocks=plain
        )

    def forward(self, frames: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [B, T + P]: of each frame, and of P places of the clip. frames: [B, T, 3, R, R]."""
        return torch.cat([self.image.of_frames(frames), self.clip(frames)], dim=1)

    def use_half(self, dtype: torch.dtype | None) -> None:
        """Run blocks of the discriminator of frames in half precision. That of clips stays in float32."""
        self.image.use_half(dtype)


class MoCoGANSG2Trainer(StyleTrainer):
    """A step of StyleGAN-V with the loss of two discriminators, R1 on one and a slower other one."""

    makes: ClassVar[Makers] = {"generator": MoCoGANSG2Generator, "discriminator": TwoDiscriminators}

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return consecutive frames. model: a `MoCoGANSG2Config`."""
        return ClipRule(frames=model.frames, max_frames=model.max_frames, spans="consecutive", stride=model.stride)

    @staticmethod
    def group(run: StageRun) -> int:
        """Return the videos of a minibatch deviation of the discriminator of frames."""
        return videos_together(run, run.model.frames)

    def groups(self, network: nn.Module, rate: float) -> Any:
        if not isinstance(network, TwoDiscriminators):
            return network.parameters()
        return [{"params": network.image.parameters()}, {"params": network.clip.parameters(), "lr": 0.1 * rate}]

    def update(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        begin_noise(self.networks["discriminator"], (self.run.train.seed, self.steps, distributed.rank()))
        return super().update(numbers, batch)

    def rehearse(self) -> float | None:
        return None  # since the means of batch norms would change

    def fooled(self, fake: Tensor) -> Tensor:
        """Return the generator's loss: the mean over frames, and that over places of clips, alike."""
        return torch.stack([softplus_loss(part, real=True) for part in self._parted(fake)]).sum()

    def told_apart(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the loss of both discriminators."""
        losses = [softplus_loss(part, real=True) for part in self._parted(real)]
        losses += [softplus_loss(part, real=False) for part in self._parted(fake)]
        return torch.stack(losses).sum()

    def of_images(self, logits: Tensor) -> Tensor:
        """Return the logits of frames, at whose signs adaptive augmentation looks."""
        return self._parted(logits)[0]

    def image_logits(self, frames: Tensor, times: Tensor, labels: Tensor | None) -> Tensor:
        logits: Tensor = self.networks["discriminator"].image.of_frames(frames)
        return logits

    def _parted(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return logits[:, : self.run.model.frames], logits[:, self.run.model.frames :]


_SMALL = {**dict.fromkeys(("z_dim", "w_dim", "noise_dim", "motion_dim", "channel_max"), 224), "channel_base": 2048}


class MoCoGANSG2(Method):
    """MoCoGAN+SG2 of the paper's tables."""

    name = "mocogan-sg2"
    config = MoCoGANSG2Config
    presets: ClassVar = {
        "paper": {"resolution": 256},
        # Half of the widths of the other discriminator too, and as many steps of the LSTM as a run has time for.
        "small": {**_SMALL, "resolution": 64, "max_frames": 128, "clip_width": 32},
        "tiny": {
            **dict.fromkeys(("z_dim", "w_dim", "noise_dim", "motion_dim", "channel_max", "clip_width"), 8),
            "resolution": 32, "frames": 13, "max_frames": 32, "std_group": 2,
        },
    }  # fmt: skip
    budgets: ClassVar = {"small": {**BUDGETS["small"], "train": {**BUDGETS["small"]["train"], "batch": 4}}}
    unused = OF_STYLEGAN_V | {"micro_batch"}

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(MoCoGANSG2Trainer),)


METHOD = MoCoGANSG2()
