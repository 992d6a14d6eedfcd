"""MoCoGAN-HD's discriminators of patches, in two dimensions and in three, and what they learn from.

Source: Tian et al. 2021, "A good image generator is what you need for high-resolution video synthesis"; the sizes are
those of the authors' code, snap-research/MoCoGAN-HD.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.networks.clip_discriminator import initialise

_LARGEST_SIDE = 128


class PatchDiscriminator(nn.Module):
    """From two images in six channels, or clips of them, to logits of patches at several scales."""

    def __init__(self, *, width: int, scales: int, clips: bool) -> None:
        """width: channels of the first layers. scales: each sees half of the height and width of the one before, as
        means over 3 places along each axis.

        clips: whether convolutions and means go over time too.
        """
        super().__init__()
        self.scales = nn.ModuleList(_patches(width, clips=clips) for _ in range(scales))
        shape: dict[str, Any] = {"kernel_size": 3, "padding": 1, "count_include_pad": False}
        self.pool: nn.Module = nn.AvgPool3d(stride=(1, 2, 2), **shape) if clips else nn.AvgPool2d(stride=2, **shape)
        self.apply(initialise)

    def forward(self, pairs: Tensor) -> list[Tensor]:
        """Return logits [B, 1, ...] of each scale, the finest first. pairs: [B, 6, H, W], or [B, 6, T, H, W]."""
        logits = []
        for place, scale in enumerate(self.scales):
            pairs = self.pool(pairs) if place else pairs
            logits.append(scale(pairs))
        return logits


def _patches(width: int, *, clips: bool) -> nn.Sequential:
    """Make five convolutions of 4² or 4³, the first three of which halve all axes.

    Instance norms without parameters follow those between the first and the last.
    """
    convolution: Callable[..., nn.Module] = nn.Conv3d if clips else nn.Conv2d
    norm: Callable[..., nn.Module] = nn.InstanceNorm3d if clips else nn.InstanceNorm2d
    layers = [convolution(6, width, 4, stride=2, padding=2), nn.LeakyReLU(0.2)]
    for channels, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
        layers.append(convolution(channels, 2 * channels, 4, stride=stride, padding=2))
        layers += [norm(2 * channels), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, convolution(8 * width, 1, 4, padding=2))


def shrunk(frames: Tensor) -> Tensor:
    """Return frames as the discriminators see them: of more than 128 pixels a side, averaged down to that.

    frames: [B, T, 3, R, R], R a power of two.
    """
    factor = frames.shape[-1] // _LARGEST_SIDE
    if factor <= 1:
        return frames
    small = functional.avg_pool2d(frames.flatten(0, 1), factor)
    return small.reshape(*frames.shape[:3], *small.shape[2:])


def views(frames: Tensor, place: int) -> tuple[Tensor, Tensor]:
    """Return what D_I and D_V see of clips [B, T, 3, R, R]: one of the later frames, and all, each beside the first.

    [B, 6, R, R] and [B, 6, T - 1, R, R]. place: of the one, from 1 on.
    """
    first = frames[:, :1].expand(-1, frames.shape[1] - 1, -1, -1, -1)
    pairs = torch.cat([first, frames[:, 1:]], dim=2)
    return pairs[:, place - 1], pairs.transpose(1, 2)


def turned(clips: Tensor, backwards: bool) -> Tensor:
    """Return what D_V sees, [B, 6, T - 1, R, R], with the later frames in reverse where they run backwards."""
    return clips.flip(2) if backwards else clips


def relativistic_loss(higher: Sequence[Tensor], lower: Sequence[Tensor]) -> Tensor:
    """Return the relativistic least squares of logits that should be higher than others, summed over scales.

    A discriminator has those of real videos higher, and a generator those of its own. At each scale:
    ½ mean (h - mean l - 1)² + ½ mean (l - mean h)². The targets are 1 and 0, as in the authors' code, not 1 and -1.
    """
    losses = [
        (ours - theirs.mean() - 1).square().mean() + (theirs - ours.mean()).square().mean()
        for ours, theirs in zip(higher, lower, strict=True)
    ]
    return torch.stack(losses).sum() / 2


def gradient_penalty(discriminator: PatchDiscriminator, real: Tensor, fake: Tensor, where: Tensor) -> Tensor:
    """Return how far gradients at clips between real and generated ones are from a length of 1: a mean square.

    The length is that of the six channels at a voxel, not that of a clip. The mean is over voxels, and over scales.
    real, fake: [B, 6, T, H, W]. where: how much of the real one there is, [B, 1].
    """
    between = torch.lerp(fake, real, where[:, :, None, None, None]).requires_grad_()
    penalties = []
    for logits in discriminator(between):
        (gradient,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
        penalties.append((torch.linalg.vector_norm(gradient, dim=1) - 1).square().mean())
    return torch.stack(penalties).mean()
