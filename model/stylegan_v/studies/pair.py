"""The two discriminators that MoCoGAN-HD trains with (Tian et al. 2021): one sees two frames, one sees a clip.

Both are PatchGANs at two scales, in two and in three dimensions, and see each frame beside the first one, so that they
judge how a video goes on. Their loss is relativistic (Jolicoeur-Martineau 2018) with squared errors. Frames of more
than 128 pixels a side are averaged down to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

CLIP_FRAMES = 16
"""Frames of a clip: the first one, and the 15 that are seen beside it."""

_LARGEST_SIDE = 128
_WIDTHS = (64, 128, 256, 512)
_SCALES = 2
_DEVIATION = 0.02

_CONVOLUTIONS: Mapping[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMS: Mapping[int, type[nn.InstanceNorm2d] | type[nn.InstanceNorm3d]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


class PatchDiscriminator(nn.Module):
    """Five convolutions of four taps in each direction: [N, 6, …] -> a logit for each patch, [N, 1, …].

    The first three halve the size. All but the first and the last are normalised by instance, without parameters.
    """

    def __init__(self, dimensions: Literal[2, 3]) -> None:
        super().__init__()
        conv, norm = _CONVOLUTIONS[dimensions], _NORMS[dimensions]
        layers: list[nn.Module] = []
        channels = 6
        for place, width in enumerate(_WIDTHS):
            layers.append(conv(channels, width, 4, stride=2 if place < 3 else 1, padding=2))
            if place:
                layers.append(norm(width))
            layers.append(nn.LeakyReLU(0.2))
            channels = width
        self.layers = nn.Sequential(*layers, conv(channels, 1, 4, padding=2))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.Conv3d):
                nn.init.normal_(layer.weight, 0.0, _DEVIATION)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # all of them have one

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


class Pair(nn.Module):
    """Both discriminators: 5,535,618 parameters for pairs of frames, and 22,136,706 for clips."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.ModuleList(PatchDiscriminator(2) for _ in range(_SCALES))
        self.video = nn.ModuleList(PatchDiscriminator(3) for _ in range(_SCALES))

    def pairs(self, frames: Tensor) -> list[Tensor]:
        """Return the logits of each frame beside the first: [B·(T-1), 1, H, W] at each scale. frames: [B, T, 3, R, R].

        Training shows one frame of a clip, drawn at random. All of them are that on average.
        """
        x = _beside_the_first(frames)  # [B, T-1, 6, R, R]
        return _at_scales(self.image, x.flatten(0, 1))

    def clips(self, frames: Tensor) -> list[Tensor]:
        """Return the logits of clips: [B, 1, T', H, W] at each scale. frames: [B, T, 3, R, R]."""
        return _at_scales(self.video, _beside_the_first(frames).transpose(1, 2))

    def generator_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """Return what a generator lowers: the sum over both discriminators and both scales. [B, T, 3, R, R] each."""
        losses = [
            relativistic(made, other)
            for see in (self.pairs, self.clips)
            for made, other in zip(see(fake), see(real), strict=True)
        ]
        return torch.stack(losses).sum()


def relativistic(made: Tensor, other: Tensor) -> Tensor:
    """Return how far `made` is from looking realer than `other` by one, on average: the loss of whoever wants that.

    Half the mean of (made - mean(other) - 1)², and half that of (other - mean(made))².
    """
    return ((made - other.mean() - 1).square().mean() + (other - made.mean()).square().mean()) / 2


def build_pair(*, seed: int = 0) -> Pair:
    """Make both discriminators with initial parameters that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Pair()


def _beside_the_first(frames: Tensor) -> Tensor:
    if frames.shape[-1] > _LARGEST_SIDE:
        small = functional.adaptive_avg_pool2d(frames.flatten(0, 1), _LARGEST_SIDE)
        frames = small.reshape(*frames.shape[:3], *small.shape[2:])
    return torch.cat([frames[:, :1].expand_as(frames[:, 1:]), frames[:, 1:]], dim=2)


def _at_scales(networks: nn.ModuleList, x: Tensor) -> list[Tensor]:
    logits = []
    for network in networks:
        logits.append(network(x))
        x = functional.avg_pool2d(x, 2) if x.ndim == 4 else functional.avg_pool3d(x, (1, 2, 2))
    return logits
