"""VideoGPT: a VQ-VAE makes a clip a grid of codes, and a transformer draws such grids, one code after the other.

It is trained in two stages. The first learns the VQ-VAE (vqvae.py); the second keeps that as it is, and learns the
transformer (prior.py) on the codes of clips. It has a position for each place of the grid and no more, so a video is a
clip, and none is longer.

Source: Yan et al. 2021, "VideoGPT: video generation using VQ-VAE and transformers", and the authors' code,
wilson1yan/VideoGPT. Its sizes at 256² in the tables of the paper are not published.
"""

from __future__ import annotations

import contextlib
import functools
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v import distributed
from stylegan_v.baselines.prior import Prior
from stylegan_v.baselines.vqvae import VQVAE
from stylegan_v.data.clips import Batch, VideoDataset
from stylegan_v.data.times import ClipRule
from stylegan_v.errors import ConfigError
from stylegan_v.methods.config import MethodConfig
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.trainer import Makers, StageRun, Trainer
from stylegan_v.networks.noise import Purpose, stream_seed, uniform
from stylegan_v.networks.pixels import normalise
from stylegan_v.networks.video_generator import Clip, Draw, VideoGenerator

LONGEST = 16
"""Frames of the longest clip."""

_PIXEL_VARIANCE = 0.06
"""That of pixels in [-0.5, 0.5], by which the authors divide the squared error of all data."""
_COMMITMENT = 0.25
_LEARNING_RATE = 3e-4
_LARGEST_NORM = 1.0
"""Gradients that are longer are made as long as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoGPTConfig(MethodConfig):
    """Sizes of the networks.

    frames: of a clip and of a video. time_stride, space_stride: how many frames, and pixels of height and of width,
    one code stands for: powers of 2. codes, code_dim: how many codes there are, and the size of their vectors.
    width, blocks: channels of the VQ-VAE, and blocks with attention in its encoder and in its decoder.
    prior_width, prior_layers, prior_heads: of the transformer, whose width is divisible by 3 and by its heads.
    dropout, attention_dropout: shares of features, and of attention, that it does not see in training.
    """

    method: ClassVar[str] = "videogpt"

    time_stride: int = 4
    space_stride: int = 4
    codes: int = 2048
    code_dim: int = 256
    width: int = 240
    blocks: int = 4
    prior_width: int = 576
    prior_layers: int = 8
    prior_heads: int = 4
    dropout: float = 0.2
    attention_dropout: float = 0.3

    def __post_init__(self) -> None:
        MethodConfig.__post_init__(self)
        if self.frames > LONGEST:
            raise ConfigError(f"frames = {self.frames}: clips of {self.method} have {LONGEST} at most")
        for name, size in (("time_stride", self.frames), ("space_stride", self.resolution)):
            stride = getattr(self, name)
            if stride & (stride - 1) or size % stride:
                raise ConfigError(f"{name} = {stride}: expected a power of 2 that divides {size}")
        if self.space_stride == 1:
            raise ConfigError("space_stride = 1: expected 2 or more, which makes a grid of codes smaller than a frame")
        if self.width % 2:
            raise ConfigError(f"width = {self.width}: expected an even number, for two heads of attention")
        if self.prior_width % 3 or self.prior_width % self.prior_heads:
            raise ConfigError(
                f"prior_width = {self.prior_width}: expected a multiple of 3, for positions of three axes, and of "
                f"prior_heads = {self.prior_heads}"
            )
        for name in ("dropout", "attention_dropout"):
            if getattr(self, name) >= 1:
                raise ConfigError(f"{name} = {getattr(self, name)}: expected a share below 1")

    @property
    def grid(self) -> tuple[int, int, int]:
        """The places of a clip that have a code: in time, height and width."""
        side = self.resolution // self.space_stride
        return self.frames // self.time_stride, side, side


class VideoGPTGenerator(VideoGenerator):
    """The VQ-VAE and the transformer. Videos are drawn in groups, which go through the transformer together."""

    recurrent = "the code of each place of a clip: a step of a transformer for each, one after the other"
    separate = False
    at_a_time = 32
    config: VideoGPTConfig

    def __init__(self, config: VideoGPTConfig) -> None:
        super().__init__()
        self.config = config
        self.vqvae = VQVAE(
            width=config.width,
            blocks=config.blocks,
            codes=config.codes,
            code_dim=config.code_dim,
            strides=(config.time_stride, config.space_stride),
        )
        self.prior = Prior(
            config.grid,
            codes=config.codes,
            code_dim=config.code_dim,
            width=config.prior_width,
            layers=config.prior_layers,
            heads=config.prior_heads,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
        )

    @property
    def longest(self) -> int:
        """The frames of a clip."""
        return self.config.frames

    def open(self, draw: Draw) -> Sequence[Clip]:
        """Return the videos of a group, whose codes are drawn at once. Frames are decoded when they are asked for."""
        numbers = uniform(draw.seed, Purpose.CONTENT, draw.content, 0, math.prod(self.config.grid))
        codes = self.prior.sample(self.vqvae.codebook.vectors, numbers)
        return [functools.partial(self._frames, row) for row in codes]

    def _frames(self, codes: Tensor, times: Tensor) -> Tensor:
        clip = self.vqvae.decode(codes.view(1, *self.config.grid))[0]
        return 2 * clip[times.long()]


class VideoGPTTrainer(Trainer):
    """What both stages share: Adam on a part of the generator, whose gradients are bounded, and no average of it.

    trains: the name of that part.
    """

    makes: ClassVar[Makers] = {"generator": VideoGPTGenerator}
    averages = False
    trains: ClassVar[str]

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return consecutive frames, from any place of a video on. model: a `VideoGPTConfig`."""
        return ClipRule(frames=model.frames, max_frames=model.frames, spans="consecutive")

    def __init__(self, run: StageRun, dataset: VideoDataset, device: torch.device) -> None:
        super().__init__(run, dataset, device)
        self.generator: VideoGPTGenerator = self.networks["generator"]
        learning = [*getattr(self.generator, self.trains).parameters()]
        optimizer = torch.optim.Adam(learning, lr=self.learning_rate)

        def bound(*_: Any) -> None:
            nn.utils.clip_grad_norm_(learning, _LARGEST_NORM)

        optimizer.register_step_pre_hook(bound)  # after the mean over processes
        self.optimizers["generator"] = optimizer

    @property
    def learning_rate(self) -> float:
        """That of the next step."""
        return self.run.train.learning_rate or _LEARNING_RATE

    def update(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        for group in self.optimizers["generator"].param_groups:
            group["lr"] = self.learning_rate
        with self._stream():
            logs = self.losses(normalise(batch.frames) / 2)
        torch.autograd.backward(logs["loss/generator"])
        self.apply("generator")
        return {name: value.detach() for name, value in logs.items()}

    @abstractmethod
    def losses(self, frames: Tensor) -> dict[str, Tensor]:
        """Return `loss/generator`, what is minimised, and what else can be plotted. frames: in [-0.5, 0.5]."""

    @contextlib.contextmanager
    def _stream(self) -> Iterator[None]:
        """Begin torch's global stream anew for a step, which is that of seed, step and process."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(stream_seed(self.run.train.seed, self.steps, distributed.rank()))
            yield


class VQVAETrainer(VideoGPTTrainer):
    """The first stage: clips through codes and back."""

    trains = "vqvae"
    shows = False

    def losses(self, frames: Tensor) -> dict[str, Tensor]:
        """Return the squared error of frames, and that of vectors to those of their codes, by which these attract them
        (van den Oord et al. 2017, eq. 3; the codebook's own term is its running mean)."""
        coded = self.generator.vqvae(frames)
        reconstruction = functional.mse_loss(coded.frames, frames) / _PIXEL_VARIANCE
        commitment = _COMMITMENT * functional.mse_loss(coded.encoded, coded.chosen)
        shares = torch.zeros(self.run.model.codes, device=frames.device)
        shares.index_add_(0, coded.codes.flatten(), torch.ones_like(coded.codes.flatten(), dtype=shares.dtype))
        return {
            "loss/generator": reconstruction + commitment,
            "loss/reconstruction": reconstruction,
            "loss/commitment": commitment,
            "codes/perplexity": torch.special.entr(shares / coded.codes.numel()).sum().exp(),
        }


class PriorTrainer(VideoGPTTrainer):
    """The second stage: the codes of clips, by the VQ-VAE as it is, each from those before it."""

    trains = "prior"

    def __init__(self, run: StageRun, dataset: VideoDataset, device: torch.device) -> None:
        super().__init__(run, dataset, device)
        self.generator.vqvae.eval().requires_grad_(False)  # its batch norms and its codebook stay too

    @property
    def learning_rate(self) -> float:
        """That of the next step: half a cosine, to 0 at the end of the stage."""
        return 0.5 * (1 + math.cos(math.pi * self.steps / self.run.total_steps)) * super().learning_rate

    def losses(self, frames: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy of codes, in nats: the logarithm of their number at first."""
        codes = self.generator.vqvae.encode(frames).flatten(1)
        logits = self.generator.prior(self.generator.vqvae.codebook.vectors[codes])
        return {"loss/generator": functional.cross_entropy(logits.flatten(0, 1), codes.flatten())}


class VideoGPT(Method):
    """VideoGPT of the paper's tables."""

    name = "videogpt"
    config = VideoGPTConfig
    presets: ClassVar = {
        "paper": {"resolution": 256},
        # A quarter of the codes of a clip, and narrower networks.
        "small": {
            "resolution": 64, "space_stride": 8, "codes": 256, "code_dim": 64, "width": 48, "blocks": 2,
            "prior_width": 192, "prior_layers": 4, "dropout": 0.1, "attention_dropout": 0.0,
        },
        "tiny": {
            "resolution": 32, "frames": 8, "space_stride": 8, "codes": 32, "code_dim": 8, "width": 16, "blocks": 1,
            "prior_width": 48, "prior_layers": 2, "prior_heads": 2,
        },
    }  # fmt: skip
    budgets: ClassVar = {
        # 200,000 steps of each stage, as in the authors' code, or 5,000.
        "paper": {"train": {"kimg": 204_800.0, "batch": 32}},
        "small": {
            "train": {"kimg": 640.0, "batch": 4},
            "report": {"tick_kimg": 2.0, "snapshot_kimg": 32.0, "fvd_kimg": 160.0, "fvd_videos": 256},
        },
    }
    unused = OF_STYLEGAN_V | {
        "micro_batch", "r1_gamma", "r1_interval", "lazy_interval", "ema_kimg", "ema_rampup", "ada", "ada_target",
        "ada_kimg", "precision", "discriminator_kimg",
    }  # fmt: skip

    def stages(self) -> tuple[Stage, ...]:
        return Stage(VQVAETrainer, "vqvae", 0.5), Stage(PriorTrainer, "prior", 0.5)


METHOD = VideoGPT()
