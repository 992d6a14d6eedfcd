"""The generator: from a content code, motion, and times to frames. Any frame can be had without the others.

Paper section 3.1 and figure 5: StyleGAN2 without noise inputs, whose constant input is joined by the time embedding
v(t).
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.fir import Fir
from stylegan_v.networks.layers import (
    HALF_BLOCKS,
    FullyConnected,
    StyledConv2d,
    ToRGB,
    clamp_activations,
    normalise,
)
from stylegan_v.networks.motion import MotionEncoder, Noise, keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.video_generator import Clip, Draw, VideoGenerator

_W_DECAY = 0.995
_LABEL_SAMPLES = 1000


class Mapping(nn.Module):
    """From z and a label to w, F_c in the paper: two layers (by default) with a hundredth of the learning rate."""

    w_mean: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.z_dim, classes = config.z_dim, config.num_classes
        self.embed = FullyConnected(classes, config.w_dim) if classes else None
        widths = [config.z_dim + (config.w_dim if classes else 0)] + [config.w_dim] * config.mapping_layers
        self.layers = nn.ModuleList(
            FullyConnected(a, b, lr_multiplier=0.01, activation="lrelu") for a, b in itertools.pairwise(widths)
        )
        self.register_buffer("w_mean", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return w: [B, w_dim]. z: [B, z_dim]; labels: [B, num_classes]."""
        x = normalise(z)
        if self.embed is not None:
            assert labels is not None
            x = torch.cat([x, normalise(self.embed(labels))], dim=1)
        for layer in self.layers:
            x = layer(x)
        return x

    def drawn(self, draw: Draw) -> Tensor:
        """Return w of the videos of a draw, moved towards its mean where truncated: [G, w_dim]. There are no labels."""
        w = self(normal(draw.seed, Purpose.CONTENT, draw.content, 0, self.z_dim))
        return torch.lerp(self.w_mean, w, draw.truncation)

    @torch.no_grad()
    def track(self, mean: Tensor) -> None:
        """Move the running mean of w towards the mean of a batch, [w_dim]."""
        self.w_mean.lerp_(mean.to(self.w_mean.dtype), 1.0 - _W_DECAY)


class SynthesisBlock(nn.Module):
    """Two convolutions, the first of which doubles the size, and the block's share of the colours."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int) -> None:
        super().__init__()
        self.conv0 = StyledConv2d(in_channels, out_channels, w_dim, up=True)
        self.conv1 = StyledConv2d(out_channels, out_channels, w_dim)
        self.to_rgb = ToRGB(out_channels, w_dim)
        self.fir = Fir(4.0)

    def forward(self, x: Tensor, rgb: Tensor, ws: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Map features [N, in, r/2, r/2] and colours [N, 3, r/2, r/2] to those of twice the size.

        ws: three styles of [B, w_dim].
        """
        x = self.conv1(self.conv0(x, ws[0]), ws[1])
        return x, self.fir.upsample(rgb) + self.to_rgb(x, ws[2]).to(rgb.dtype)


class FirstBlock(nn.Module):
    """The learned constant beside v(t), one convolution, and the first colours, all at 4×4."""

    def __init__(self, channels: int, v_dim: int, w_dim: int) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, channels, 4, 4))
        self.conv1 = StyledConv2d(channels + v_dim, channels, w_dim)
        self.to_rgb = ToRGB(channels, w_dim)

    def forward(self, v: Tensor, ws: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return features [N, C, 4, 4] and colours [N, 3, 4, 4]. v: [N, v_dim]; ws: two styles of [B, w_dim]."""
        x = torch.cat([self.const.expand(len(v), -1, -1, -1), v[:, :, None, None].expand(-1, -1, 4, 4)], dim=1)
        x = self.conv1(x.contiguous(memory_format=torch.channels_last), ws[0])
        return x, self.to_rgb(x, ws[1])


class Synthesis(nn.Module):
    """From styles and time embeddings to frames.

    Layer i takes style i. The colours of a block share a style with the first convolution of the next block.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_ws = config.num_ws
        self.first = FirstBlock(config.channels(4), config.v_dim, config.w_dim)
        self.blocks = nn.ModuleDict(
            {
                str(r): SynthesisBlock(config.channels(r // 2), config.channels(r), config.w_dim)
                for r in config.resolutions[1:]
            }
        )
        self.half_dtype: torch.dtype | None = None

    def forward(self, ws: Tensor, v: Tensor) -> Tensor:
        """Return frames [B, T, 3, R, R], about -1 to 1, not clipped. ws: [B, num_ws, w_dim]; v: [B, T, v_dim]."""
        styles = list(ws.unbind(1))
        rgb: Tensor
        x, rgb = self.first(v.flatten(0, 1), styles[:2])
        for place, block in enumerate(self.blocks.values()):
            if self.half_dtype is not None and place >= len(self.blocks) - HALF_BLOCKS:
                x = x.to(self.half_dtype)
            x, rgb = block(x, rgb, styles[2 * place + 1 : 2 * place + 4])
        return rgb.reshape(*v.shape[:2], *rgb.shape[1:])


class StyledGenerator(VideoGenerator):
    """A generator whose frames StyleGAN2 makes of styles, with what that offers: truncation, and half precision."""

    truncates = True
    mapping: Mapping
    synthesis: Synthesis

    @property
    def half_dtype(self) -> torch.dtype | None:
        """The type of the blocks of the highest resolutions, None for the parameters' type."""
        return self.synthesis.half_dtype

    def use_precision(self, precision: str) -> None:
        """Run the blocks of the highest resolutions in this type, see `half_precision`."""
        self.use_half(half_precision(precision, self.mapping.w_mean.device))

    def use_precision_of(self, training: str) -> None:
        self.use_half(sampling_precision(training, self.mapping.w_mean.device))

    def use_half(self, dtype: torch.dtype | None) -> None:
        """Run the blocks of the highest resolutions in float16 or bfloat16, or with None in the parameters' type."""
        self.synthesis.half_dtype = dtype
        clamp_activations(self.synthesis, dtype is not None)

    def frames_of_styles(self, styles: Tensor) -> Tensor:
        """Return frames [B, T, 3, R, R], each of a style that all layers take, and without a time embedding.

        styles: [B, T, w_dim].
        """
        ws = styles.flatten(0, 1)[:, None].expand(-1, self.synthesis.num_ws, -1)  # [B·T, num_ws, w_dim]
        frames: Tensor = self.synthesis(ws, ws.new_zeros(len(ws), 1, 0))
        return frames.reshape(*styles.shape[:2], *frames.shape[2:])


class Generator(StyledGenerator):
    """From z, motion noise and times to frames.

    Parameters are drawn from torch's global generator. `build_generator` hides that from its caller.
    """

    continuous = True
    config: ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config)
        self.motion: Any = MotionEncoder(config) if config.v_dim else None
        self.synthesis = Synthesis(config)

    def forward(
        self, z: Tensor, times: Tensor, noise: Noise, labels: Tensor | None = None, *, truncation: float = 1.0
    ) -> Tensor:
        """Return frames [B, T, 3, R, R] of videos at times, about -1 to 1, not clipped.

        z: [B, z_dim]; times: [B, T] in frames, any real numbers from 0 on; labels: [B, num_classes].
        truncation: ψ, 1 for none and 0 for the mean w.
        """
        return self.render(self.styles(z, labels, truncation=truncation), times, noise, labels)

    def styles(self, z: Tensor, labels: Tensor | None = None, *, truncation: float = 1.0) -> Tensor:
        """Return w, moved towards its mean where truncated: [B, w_dim]."""
        w: Tensor = self.mapping(z, labels)
        if truncation == 1.0:
            return w
        mean = self.mapping.w_mean if labels is None else self._class_means(labels)
        truncated: Tensor = mean + truncation * (w - mean)
        return truncated

    def render(self, w: Tensor, times: Tensor, noise: Noise, labels: Tensor | None = None) -> Tensor:
        """Return frames [B, T, 3, R, R]. w: one style per video [B, w_dim] or one per layer [B, num_ws, w_dim]."""
        v = w.new_zeros(*times.shape, 0) if self.motion is None else self.motion(times, noise, labels)
        return self.frames(w, v)

    def frames(self, w: Tensor, v: Tensor) -> Tensor:
        """Return frames [B, T, 3, R, R] of styles as in `render`, and time embeddings v: [B, T, v_dim]."""
        ws = w[:, None].expand(-1, self.config.num_ws, -1) if w.ndim == 2 else w
        frames: Tensor = self.synthesis(ws, v)
        return frames

    def open(self, draw: Draw) -> list[Clip]:
        """Return a video, any of whose frames can be had without the others."""
        z = normal(draw.seed, Purpose.CONTENT, draw.content, 0, self.config.z_dim)
        w = self.styles(z, draw.labels, truncation=draw.truncation)
        noise = keyed_noise(draw.seed, draw.motion, self.config.noise_dim)
        return [lambda times: self.render(w, times[None], noise, draw.motion_labels)[0]]

    def _class_means(self, labels: Tensor) -> Tensor:
        """Return the mean w of each video's label over 1000 fixed z. One mean for all would pull classes together."""
        z = torch.randn(_LABEL_SAMPLES, self.config.z_dim, generator=torch.Generator().manual_seed(0))
        z = z.to(labels.device, self.mapping.w_mean.dtype)
        return torch.stack([self.mapping(z, label.expand(len(z), -1)).mean(dim=0) for label in labels])


def build_generator(config: ModelConfig, *, seed: int = 0) -> Generator:
    """Make a generator whose initial parameters depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(config)


def half_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type of blocks of high resolution, None for the parameters' type. `auto` is float16 on a GPU."""
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else None
    return {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}[precision]


def sampling_precision(training: str, device: torch.device) -> torch.dtype | None:
    """Return the type of blocks of high resolution in samples and scores of a run. training: the run's precision.

    It is that of the training on a GPU, and that of the parameters elsewhere, where half precision need not be faster.
    """
    return half_precision(training, device) if device.type == "cuda" else None
