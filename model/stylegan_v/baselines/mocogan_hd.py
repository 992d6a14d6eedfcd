"""MoCoGAN-HD: an image StyleGAN2, which is trained first, and an LSTM that walks through its w.

Stage `image` trains StyleGAN2 on single frames, as the other methods here do: without noise inputs, style mixing and
path length regularisation. Stage `motion` keeps its average as it is, and finds the principal axes of its w. An LSTM
over noise moves w along them from frame to frame. Two discriminators look at frames beside the first one: at one of
them, and at all. Each step of theirs follows five of the LSTM.

It is the model for videos of the domain that the images are from; what is needed for other domains, and the contrastive
loss with it, is not here. Steps have a limit and their sum has none: long videos leave the w that images are made of.

Source: Tian et al. 2021, "A good image generator is what you need for high-resolution video synthesis", and
snap-research/MoCoGAN-HD for sizes and settings. That takes every second frame; with `stride` = 2 this does too, and
videos then move twice as fast as those that they are learned from. It shrinks frames above 128² for the discriminators,
real ones by a Lanczos filter and others by a mean, which could tell them apart. Here it is a mean for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.data.times import WHOLE_VIDEO, ClipRule
from stylegan_v.errors import ConfigError
from stylegan_v.methods.config import MethodConfig
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers, StageRun, Trainer
from stylegan_v.networks.config import RESOLUTIONS, ModelConfig, image_config
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Mapping, StyledGenerator, Synthesis
from stylegan_v.networks.motion import Noise, keyed_noise
from stylegan_v.networks.noise import Purpose, normal, uniform
from stylegan_v.networks.patch_discriminator import (
    PatchDiscriminator,
    gradient_penalty,
    relativistic_loss,
    shrunk,
    turned,
    views,
)
from stylegan_v.networks.pixels import normalise
from stylegan_v.networks.recurrent import Walk
from stylegan_v.networks.video_generator import Clip, Draw

_STEP = 0.2
"""The longest step along an axis, in standard deviations of w along it."""

_GENERATOR_STEPS = 5
"""Steps of the LSTM on a batch, before one of the discriminators."""

_PENALTY = 10.0
_CHUNK = 4000
"""Number of w in a pass through the mapping."""

State = tuple[Tensor, tuple[Tensor, Tensor]]
"""w of a frame, and the LSTM's output and its cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoCoGANHDConfig(MethodConfig):
    """Sizes of the networks.

    frames, stride: of the clips that motion is learned from, and from one of their frames to the next.
    z_dim, w_dim, mapping_layers, channel_base, channel_max, std_group: of StyleGAN2, as in `ModelConfig`.
    noise_dim: of the LSTM's input. components: number of principal axes, and width of the LSTM.
    w_samples: number of w that the axes are found from. width: channels of the first layers of the discriminators of
    motion. scales: how many networks each of these has, for frames of half the size of the one before.
    """

    method: ClassVar[str] = "mocogan-hd"
    resolutions: ClassVar[tuple[int, ...]] = RESOLUTIONS

    stride: int = 1
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512
    std_group: int = 4
    noise_dim: int = 512
    components: int = 384
    w_samples: int = 1_000_000
    width: int = 64
    scales: int = 2

    def __post_init__(self) -> None:
        MethodConfig.__post_init__(self)
        if self.frames < 2:
            raise ConfigError(f"frames = {self.frames}: motion needs 2 or more")
        if self.components > self.w_dim:
            raise ConfigError(f"components = {self.components}: w has {self.w_dim} axes")

    def image(self) -> ModelConfig:
        """Return StyleGAN2's part."""
        return image_config(self)


class Motion(nn.Module):
    """An LSTM over noise, each of whose outputs is a step in w."""

    basis: Tensor
    """P: the principal axes of w, each as long as the standard deviation of w along it. [components, w_dim]"""

    def __init__(self, config: MoCoGANHDConfig) -> None:
        super().__init__()
        width, noise = config.components, config.noise_dim
        self.encoder = nn.LSTMCell(config.w_dim, width)
        self.cell = nn.LSTMCell(noise, width)
        self.step = nn.Linear(width, width)
        self.recall = nn.Sequential(nn.Linear(2 * width, noise), nn.ReLU(), nn.Linear(noise, noise))
        self.register_buffer("basis", torch.eye(width, config.w_dim))  # until the stage of motion begins
        for cell in (self.encoder, self.cell):
            for matrix in (cell.weight_ih, cell.weight_hh):
                for gate in matrix.detach().chunk(4):
                    nn.init.orthogonal_(gate)
            nn.init.zeros_(cell.bias_ih)
            nn.init.zeros_(cell.bias_hh)
        nn.init.normal_(self.step.weight, 0.0, 0.02)
        nn.init.zeros_(self.step.bias)
        for layer in self.recall:
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight)

    def begin(self, w: Tensor) -> State:
        """Return the state of the first frame, whose w is given: [B, w_dim]."""
        return w, self.encoder(w)

    def move(self, noise: Tensor, state: State) -> State:
        """Return the state of the next frame: w + 0.2 tanh(W h + b) P. noise: [B, noise_dim]."""
        w, memory = state
        memory = self.cell(noise, memory)
        return w + _STEP * torch.tanh(self.step(memory[0])) @ self.basis, memory

    def forward(self, noise: Tensor, state: State) -> tuple[Tensor, State]:
        """Return w of a frame and the state of the next, as `Walk` asks for them. noise: [B, 1, noise_dim]."""
        return state[0][:, None], self.move(noise[:, 0], state)

    def trajectory(self, w: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return w of all frames, [B, T, w_dim], and how alike noise and what is recalled of it are, a mean cosine.

        w: of the first frame. noise: [B, T - 1, noise_dim].
        """
        states = [self.begin(w)]
        for vector in noise.unbind(1):
            states.append(self.move(vector, states[-1]))
        memories = torch.stack([torch.cat(memory, dim=1) for _, memory in states[1:]], dim=1)
        alike = functional.cosine_similarity(self.recall(memories), noise, dim=2).mean()
        return torch.stack([w for w, _ in states], dim=1), alike


class MoCoGANHDGenerator(StyledGenerator):
    """StyleGAN2, all of whose layers take the w of a frame."""

    recurrent = "steps of w: one of an LSTM for each frame, from the first frame on"
    config: MoCoGANHDConfig

    def __init__(self, config: MoCoGANHDConfig) -> None:
        super().__init__()
        image = config.image()
        self.config = config
        self.mapping, self.synthesis = Mapping(image), Synthesis(image)
        self.motion = Motion(config)

    def render(self, w: Tensor, times: Tensor, noise: Noise, labels: Tensor | None = None) -> Tensor:
        """Return single images, [B, 1, 3, R, R], for the stage that has no motion. w: [B, w_dim]."""
        return self.frames_of_styles(w[:, None])

    def open(self, draw: Draw) -> Sequence[Clip]:
        """Return a video whose LSTM goes on from the last frame that was asked for."""
        w = self.mapping.drawn(draw)
        noise = keyed_noise(draw.seed, draw.motion, self.config.noise_dim)
        walk = Walk(self.motion, lambda tokens: noise(tokens[None])[0], state=self.motion.begin(w))
        return [lambda times: self.frames_of_styles(walk.at(times.long().tolist())[None])[0]]


def _discriminator(config: MoCoGANHDConfig, *, clips: bool) -> PatchDiscriminator:
    return PatchDiscriminator(width=config.width, scales=config.scales, clips=clips)


_MAKES: Makers = {
    "generator": MoCoGANHDGenerator,
    "discriminator": lambda config: Discriminator(config.image()),
    "pair_discriminator": partial(_discriminator, clips=False),
    "clip_discriminator": partial(_discriminator, clips=True),
}


class ImageTrainer(StyleTrainer):
    """Stage 1: StyleGAN2 on one frame of each video."""

    makes: ClassVar[Makers] = _MAKES

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return single frames, from anywhere in a video. model: a `MoCoGANHDConfig`."""
        return ClipRule(frames=1, max_frames=WHOLE_VIDEO)

    def groups(self, network: nn.Module, rate: float) -> Any:
        if not isinstance(network, MoCoGANHDGenerator):
            return network.parameters()
        return [*network.mapping.parameters(), *network.synthesis.parameters()]


class MotionTrainer(Trainer):
    """Stage 2: the LSTM, and its discriminators D_I and D_V, all in float32."""

    makes: ClassVar[Makers] = _MAKES
    averages = False
    generator: MoCoGANHDGenerator
    ema: MoCoGANHDGenerator

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return consecutive frames, from anywhere in a video. model: a `MoCoGANHDConfig`."""
        return ClipRule(frames=model.frames, max_frames=WHOLE_VIDEO, spans="consecutive", stride=model.stride)

    def __init__(self, run: StageRun, dataset: VideoDataset, device: torch.device) -> None:
        super().__init__(run, dataset, device)
        self.generator = self.networks["generator"]
        self.generator.requires_grad_(False)
        self.generator.motion.requires_grad_(True)
        self.generator.motion.encoder.weight_hh.requires_grad_(False)  # no use: its only step is from a state of zeros
        self.pair, self.clip = self.networks["pair_discriminator"], self.networks["clip_discriminator"]
        for name in ("generator", "pair_discriminator", "clip_discriminator"):
            learning = [parameter for parameter in self.networks[name].parameters() if parameter.requires_grad]
            rate = run.train.learning_rate or 1e-4
            self.optimizers[name] = torch.optim.Adam(learning, lr=rate, betas=(0.5, 0.999), fused=True)

    @torch.no_grad()
    def take_over(self) -> None:
        """Keep the average of the image generator, and find the axes that its w moves along."""
        self.generator.load_state_dict(self.ema.state_dict())
        model = self.run.model
        basis = principal_axes(self.ema.mapping, model, seed=self.run.train.seed)
        for generator in (self.generator, self.ema):
            generator.motion.basis.copy_(basis)

    def update(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        reals, steps = shrunk(normalise(batch.frames)), _GENERATOR_STEPS + 1
        losses = [self._update_generator(steps * numbers + turn, reals, turn) for turn in range(_GENERATOR_STEPS)]
        logs = {name: torch.stack([log[name] for log in losses]).mean() for name in losses[0]}
        return logs | self._update_discriminators(steps * numbers + _GENERATOR_STEPS, reals)

    def _update_generator(self, videos: Tensor, reals: Tensor, turn: int) -> dict[str, Tensor]:
        """Let the LSTM take a step against both discriminators, and recall its noise, all with the same weight."""
        place, *backwards = self._shared(turn)
        self.pair.requires_grad_(False)
        self.clip.requires_grad_(False)
        fakes, alike = self._generate(videos)
        (real, real_clips), (fake, fake_clips) = views(reals, place), views(fakes, place)
        with torch.no_grad():
            judged = [self.pair(real), self.clip(turned(real_clips, backwards[0]))]
        loss = relativistic_loss(self.pair(fake), judged[0])
        loss = loss + relativistic_loss(self.clip(turned(fake_clips, backwards[1])), judged[1])
        torch.autograd.backward(loss - alike)
        self.pair.requires_grad_(True)
        self.clip.requires_grad_(True)
        self.apply("generator")
        return {"loss/generator": (loss - alike).detach(), "recalled": alike.detach()}

    def _update_discriminators(self, videos: Tensor, reals: Tensor) -> dict[str, Tensor]:
        """Take a step of D_I, and one of D_V with its gradient penalty."""
        place, *backwards = self._shared(_GENERATOR_STEPS)
        with torch.no_grad():
            fakes, _ = self._generate(videos)
        (real, real_clips), (fake, fake_clips) = views(reals, place), views(fakes, place)
        pairs = relativistic_loss(self.pair(real), self.pair(fake))
        torch.autograd.backward(pairs)
        self.apply("pair_discriminator")
        where = uniform(self.run.train.seed, Purpose.FAKE_TIMES, videos, 1, 1).float()
        penalty = gradient_penalty(self.clip, real_clips, fake_clips, where)  # which are not turned
        judged = [self.clip(turned(real_clips, backwards[0])), self.clip(turned(fake_clips, backwards[1]))]
        clips = relativistic_loss(*judged) + _PENALTY * penalty
        torch.autograd.backward(clips)
        self.apply("clip_discriminator")
        losses = {"pair_discriminator": pairs, "clip_discriminator": clips, "gradient_penalty": penalty}
        return {f"loss/{name}": loss.detach() for name, loss in losses.items()}

    def _shared(self, turn: int) -> tuple[int, bool, bool]:
        """Draw what a batch shares: the frame of pairs, and whether real and whether generated clips run backwards."""
        step = torch.tensor(self.steps * (_GENERATOR_STEPS + 1) + turn)  # on the CPU, so that no GPU is waited for
        where, *flips = uniform(self.run.train.seed, Purpose.FAKE_TIMES, step, 0, 3).tolist()
        return 1 + int(where * (self.run.model.frames - 1)), flips[0] < 0.5, flips[1] < 0.5

    def _generate(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Return clips as the discriminators see them, [B, T, 3, R, R], and how alike noise and its recall are."""
        seed, model = self.run.train.seed, self.run.model
        w = self.generator.mapping(normal(seed, Purpose.CONTENT, videos, 0, model.z_dim))
        tokens = torch.arange(model.frames - 1, device=videos.device)[None]
        noise = keyed_noise(seed, videos, model.noise_dim)(tokens)
        ws, alike = self.generator.motion.trajectory(w, noise)
        return shrunk(self.generator.frames_of_styles(ws)), alike


def principal_axes(mapping: Mapping, model: MoCoGANHDConfig, *, seed: int) -> Tensor:
    """Return the first principal axes of w, each as long as the deviation of w along it: [components, w_dim]."""
    stream = torch.Generator().manual_seed(seed)
    device = mapping.w_mean.device
    total = torch.zeros(model.w_dim, dtype=torch.float64, device=device)
    products = torch.zeros(model.w_dim, model.w_dim, dtype=torch.float64, device=device)
    for begin in range(0, model.w_samples, _CHUNK):
        z = torch.randn(min(_CHUNK, model.w_samples - begin), model.z_dim, generator=stream)
        w = mapping(z.to(device)).double()
        total += w.sum(dim=0)
        products += w.T @ w
    mean = total / model.w_samples
    variances, axes = torch.linalg.eigh((products / model.w_samples - mean.outer(mean)).cpu())  # ascending
    scaled: Tensor = (axes * variances.clamp(min=0).sqrt()).T
    return scaled.flip(0)[: model.components].float()


class MoCoGANHD(Method):
    """MoCoGAN-HD of the paper's tables."""

    name = "mocogan-hd"
    config = MoCoGANHDConfig
    presets: ClassVar = {
        "paper": {"resolution": 256},
        "small": {
            **dict.fromkeys(("z_dim", "w_dim", "noise_dim", "channel_max"), 224), "resolution": 64,
            "channel_base": 2048, "components": 168, "w_samples": 100_000, "width": 16,
        },
        "tiny": {
            **dict.fromkeys(("z_dim", "channel_max", "noise_dim"), 8), "resolution": 32, "frames": 6, "std_group": 2,
            "w_dim": 32, "components": 24, "w_samples": 2000, "width": 4, "scales": 1,
        },
    }  # fmt: skip
    budgets: ClassVar = {
        # 25 million images, and about 750 epochs of FaceForensics' 704 videos.
        "paper": {"train": {"batch": 32, "kimg": 33300.0, "ema_kimg": 10.0}},
        "small": {**BUDGETS["small"], "train": {**BUDGETS["small"]["train"], "batch": 4}},
    }
    unused = OF_STYLEGAN_V | {"micro_batch", "discriminator_kimg"}

    def stages(self) -> tuple[Stage, ...]:
        return Stage(ImageTrainer, "image", 0.75), Stage(MotionTrainer, "motion", 0.25)


METHOD = MoCoGANHD()
