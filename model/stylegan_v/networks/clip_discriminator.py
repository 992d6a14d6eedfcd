"""MoCoGAN's discriminator of clips: convolutions over time and space, and noise before them.

Source: Tulyakov et al. 2018, "MoCoGAN: decomposing motion and content for video generation"; the sizes are those of the
authors' code, sergeytulyakov/mocogan, and for larger frames of universome/stylegan-v.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stylegan_v.networks.noise import stream_seed


class InstanceNoise(nn.Module):
    """Adds normal noise to what a layer sees, from a stream that a step of training begins anew, see `begin_noise`."""

    stream: torch.Generator

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=self.stream)
        return torch.add(x, noise, alpha=self.sigma)


def begin_noise(network: nn.Module, key: Sequence[int]) -> None:
    """Begin the noise of all layers of a network anew, as a key of numbers says, such as seed, step and process."""
    stream = torch.Generator(next(network.parameters()).device)
    stream.manual_seed(stream_seed(*key))
    for layer in network.modules():
        if isinstance(layer, InstanceNoise):
            layer.stream = stream


class ClipDiscriminator(nn.Module):
    """From clips to logits: convolutions of 4³ that halve height and width and take 3 frames off, and one to logits.

    There are four that halve, as in the original for 64², or three for 32². Larger frames give logits for several
    places. No layer has a bias; all but the first and the last have a batch norm.
    """

    def __init__(
        self,
        resolution: int,
        *,
        width: int = 64,
        sigma: float = 0.1,
        patches: bool = False,
        plain_blocks: int = 0,
    ) -> None:
        """width: channels of the first layer; they double from layer to layer. sigma: of the noise.

        patches: whether the last of the layers that halve gives the logits already, of patches. plain_blocks: number of
        convolutions of 3³ that change no size, before the last one.
        """
        super().__init__()
        widths = [3, *(width * 2**place for place in range(clip_halvings(resolution) - patches))]
        layers = halving_layers(widths, sigma=sigma, clips=True)
        for _ in range(plain_blocks):
            layers += [InstanceNoise(sigma)] if sigma else []
            layers += [nn.Conv3d(widths[-1], widths[-1], 3, padding=1, bias=False), nn.BatchNorm3d(widths[-1])]
            layers.append(nn.LeakyReLU(0.2))
        stride, padding = ((1, 2, 2), (0, 1, 1)) if patches else (1, 0)
        last = nn.Conv3d(widths[-1], 1, 4, stride=stride, padding=padding, bias=False)
        self.layers = nn.Sequential(*layers, last)
        self.apply(initialise)

    def forward(self, frames: Tensor) -> Tensor:
        """Return logits [B, places]. frames: [B, T, 3, R, R] in [-1, 1], of `clip_frames` at least."""
        logits: Tensor = self.layers(frames.transpose(1, 2))
        return logits.flatten(1)


def halving_layers(widths: Sequence[int], *, sigma: float, clips: bool) -> list[nn.Module]:
    """Return convolutions that halve height and width, from one number of channels to the next, and all around them.

    Before each there is noise; a batch norm, but for the first, and a leaky ReLU follow. clips: whether they are of 4³
    and take 3 frames off clips, rather than of 4² for images.
    """
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(itertools.pairwise(widths)):
        layers += [InstanceNoise(sigma)] if sigma else []
        if clips:
            layers.append(nn.Conv3d(before, after, 4, stride=(1, 2, 2), padding=(0, 1, 1), bias=False))
        else:
            layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False))
        norm = nn.BatchNorm3d if clips else nn.BatchNorm2d
        layers += ([norm(after)] if place else []) + [nn.LeakyReLU(0.2)]
    return layers


def clip_halvings(resolution: int) -> int:
    """Return how often the discriminator halves frames: until they have 4 by 4 places, and four times at most."""
    return min(4, int(math.log2(resolution)) - 2)


def clip_frames(resolution: int) -> int:
    """Return the number of frames of the shortest clip that the discriminator can see: 16 from 64² on."""
    return 3 * (clip_halvings(resolution) + 1) + 1


def initialise(layer: nn.Module) -> None:
    """Draw parameters as DCGAN does: weights from N(0, 0.02), scales of batch norms from N(1, 0.02)."""
    if isinstance(layer, nn.modules.conv._ConvNd):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)
