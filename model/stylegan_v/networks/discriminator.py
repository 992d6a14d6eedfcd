"""The discriminator: from k frames of a video and the times between them to one logit.

Paper section 3.2 and figure 6: frames go through shared blocks one by one, their features are concatenated, and further
blocks see the video. Time distances condition the projection head. In the paper's text they also modulate the first
convolution of each block (hyper-modulation), which the released code does not have. Absolute time is never seen.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.layers import (
    HALF_BLOCKS,
    Conv2d,
    FullyConnected,
    MinibatchDeviation,
    StyledConv2d,
    clamp_activations,
    normalise,
)

_SKIP_GAIN = math.sqrt(0.5)


class TimeEncoding(nn.Module):
    """Embeds the distances between neighbouring frames, each on its own, with sines and cosines of ten octaves.

    `release`: these waves beside a learned row of `dim` numbers for each distance. `paper`: these waves through two
    layers, shared by all distances, to p(δ) of `dim` numbers. The paper does not say which waves it takes; these are
    the released code's. There are ten octaves for max_frames = 1024.
    """

    frequencies: Tensor

    def __init__(self, kind: Literal["release", "paper"], max_frames: int, dim: int) -> None:
        super().__init__()
        octaves = math.ceil(math.log2(max_frames))
        frequencies = 2.0 ** torch.arange(octaves, dtype=torch.float64) * math.pi / 2**octaves
        self.register_buffer("frequencies", frequencies.float(), persistent=False)
        self.table = nn.Parameter(torch.randn(max_frames, dim)) if kind == "release" else None
        widths = (2 * octaves, dim) if kind == "paper" else ()
        self.mlp = nn.Sequential(*(FullyConnected(width, dim, activation="lrelu") for width in widths))
        self.dim = dim + 2 * octaves if kind == "release" else dim

    def forward(self, times: Tensor) -> Tensor:
        """Embed times [B, k], in frames, to p_δ: [B, (k - 1) · dim]."""
        distances = times.diff(dim=1)
        waves = distances.to(self.frequencies.dtype)[:, :, None] * self.frequencies
        positions = torch.cat([waves.sin(), waves.cos()], dim=2)  # [B, k - 1, 20]
        embedded: Tensor = self.mlp(positions)
        if self.table is not None:
            embedded = torch.cat([self.table[distances.round().long()], embedded], dim=2)
        return embedded.flatten(1)


class Conditioning(nn.Module):
    """The mapping network from embedded time distances and labels to the vector that conditions the discriminator."""

    def __init__(self, in_dim: int, out_dim: int, num_layers: int) -> None:
        super().__init__()
        self.embed = FullyConnected(in_dim, out_dim)
        self.layers = nn.ModuleList(
            FullyConnected(out_dim, out_dim, lr_multiplier=0.01, activation="lrelu") for _ in range(num_layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_dim] -> [B, out_dim]."""
        x = normalise(self.embed(x))
        for layer in self.layers:
            x = layer(x)
        return x


class DiscriminatorBlock(nn.Module):
    """Two convolutions and a shortcut, which halve the size. The first of all blocks takes colours.

    colours: channels of an image where the block is the first one, 0 elsewhere.
    style_dim: size of the vector that modulates the first convolution, None for an ordinary one.
    """

    def __init__(
        self, in_channels: int, middle_channels: int, out_channels: int, *, colours: int, style_dim: int | None
    ) -> None:
        super().__init__()
        self.from_rgb = Conv2d(colours, in_channels, 1) if colours else None
        self.conv0 = (
            Conv2d(in_channels, middle_channels, 3)
            if style_dim is None
            else StyledConv2d(in_channels, middle_channels, style_dim)
        )
        self.conv1 = Conv2d(middle_channels, out_channels, 3, down=True)
        self.skip = Conv2d(in_channels, out_channels, 1, bias=False, down=True, activation="linear")

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map [N, in, r, r] to [N, out, r/2, r/2], the first block from colours instead of `in` channels.

        condition: [B, style_dim], used with hyper-modulation.
        """
        if self.from_rgb is not None:
            x = self.from_rgb(x)
        y = self.conv0(x, condition) if isinstance(self.conv0, StyledConv2d) else self.conv0(x)
        main: Tensor = self.conv1(y, gain=_SKIP_GAIN)
        shortcut: Tensor = self.skip(x, gain=_SKIP_GAIN)
        return main + shortcut


class Head(nn.Module):
    """From 4×4 features of videos to logits, by projection on the conditioning vector where there is one."""

    def __init__(self, channels: int, *, std_group: int, condition_dim: int) -> None:
        super().__init__()
        self.deviation = MinibatchDeviation(std_group)
        self.conv = Conv2d(channels + 1, channels, 3)
        self.fc = FullyConnected(channels * 16, channels, activation="lrelu")
        self.out = FullyConnected(channels, condition_dim or 1)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Return logits [B]. x: [B, C, 4, 4]; condition: [B, condition_dim]."""
        y: Tensor = self.out(self.fc(self.conv(self.deviation(x)).flatten(1)))
        if condition is None:
            return y[:, 0]
        return (y * condition).sum(dim=1) / math.sqrt(condition.shape[1])


class Discriminator(nn.Module):
    """From k frames of each video, and their times, to one logit per video. colours: channels of a frame."""

    def __init__(self, config: ModelConfig, *, colours: int = 3) -> None:
        super().__init__()
        self.config = config
        self.time = None
        if config.frames > 1:
            self.time = TimeEncoding(config.encoding, config.max_frames, config.time_dim)
        inputs = config.num_classes + (self.time.dim * (config.frames - 1) if self.time is not None else 0)
        condition_dim = config.w_dim if inputs else 0
        self.conditioning = Conditioning(inputs, condition_dim, config.mapping_layers) if inputs else None
        blocks = {}
        for r in reversed(config.resolutions[1:]):
            in_channels, out_channels = config.channels(r), config.channels(r // 2)
            if r == config.concat_resolution:
                in_channels = in_channels // config.frame_divisor * config.frames
            if r == 2 * config.concat_resolution:
                out_channels //= config.frame_divisor
            blocks[str(r)] = DiscriminatorBlock(
                in_channels,
                config.channels(r),
                out_channels,
                colours=colours if r == config.resolution else 0,
                style_dim=condition_dim if config.hyper_modulation and condition_dim else None,
            )
        self.blocks = nn.ModuleDict(blocks)
        projected = condition_dim if config.projection else 0
        self.head = Head(config.channels(4), std_group=config.std_group, condition_dim=projected)
        self.half_dtype: torch.dtype | None = None

    def forward(self, frames: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [B]. frames: [B, k, 3, R, R] in [-1, 1]; times: [B, k] in frames; labels: [B, num_classes]."""
        videos = len(frames)
        condition = self.condition(times, labels)
        modulation = condition
        if self.config.zero_modulation and condition is not None:
            modulation = torch.zeros_like(condition)
        x = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        full = self.head.fc.weight.dtype
        for place, (resolution, block) in enumerate(self.blocks.items()):
            if int(resolution) == self.config.concat_resolution:
                x = x.reshape(videos, -1, *x.shape[2:])  # features of frame 0, then of frame 1, …
                x = x.contiguous(memory_format=torch.channels_last)
            half = self.half_dtype if place < HALF_BLOCKS else None
            x = block(x.to(half or full), modulation)
        logits: Tensor = self.head(x.to(full), condition if self.config.projection else None)
        return logits

    def of_frames(self, frames: Tensor) -> Tensor:
        """Return logits [B, T] of frames, [B, T, 3, R, R], each by itself, of a discriminator of images."""
        images = frames.flatten(0, 1)[:, None]
        logits: Tensor = self(images, images.new_zeros(len(images), 1))
        return logits.view(frames.shape[:2])

    def condition(self, times: Tensor, labels: Tensor | None = None) -> Tensor | None:
        """Return the vector of time distances and labels: [B, w_dim], p_δ after its mapping network in the paper.

        None for images without labels.
        """
        if self.conditioning is None:
            return None
        parts = [] if labels is None else [labels]
        if self.time is not None:
            parts.append(self.time(times))
        vector: Tensor = self.conditioning(torch.cat(parts, dim=1))
        return vector

    def use_half(self, dtype: torch.dtype | None) -> None:
        """Run the blocks of the highest resolutions in float16 or bfloat16, or with None in the parameters' type."""
        self.half_dtype = dtype
        clamp_activations(self, dtype is not None)


def build_discriminator(config: ModelConfig, *, seed: int = 0) -> Discriminator:
    """Make a discriminator whose initial parameters depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Discriminator(config)
