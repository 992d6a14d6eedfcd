"""How different two images look: the distance of their features in a network that has learnt to see.

LPIPS (Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric") is what the paper
projects with. It needs two files that are not ours to give: VGG16 as torchvision publishes it, and LPIPS' linear heads,
version 0.1. Without them the first layers of I3D see the images, the network of FVD, whose weights are here anyway. A
still is a video that stands still, so their kernels are summed over time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from fvd_bench.networks import weights as weight_store
from fvd_bench.networks.i3d_network import I3D, same_padding
from fvd_bench.networks.lpips import Layers as VggLayers
from fvd_bench.networks.weights.files import tensor_digest
from fvd_bench.networks.weights.lpips_tensors import BACKBONES, shapes
from stylegan_v.studies.weights import read_weights

_LARGEST_SIDE = 256
"""Larger images are averaged down to this before VGG16 sees them, as StyleGAN2's projection does."""

_I3D = "i3d-kinetics-400"
_I3D_SIDE = 224

Layers = Callable[[Tensor], list[Tensor]]
"""A function from images [N, 3, R, R] in [-1, 1] to features of several layers, [N, C, H, W] each."""


@dataclass(frozen=True, slots=True)
class PerceptualDistance:
    """Features at unit length in every place, their squared differences, weighted by channel, averaged over places.

    name: for programs. words: for people. digests: of the weights, by name.
    layers: the network. heads: a weight for each channel of each layer, None for 1.
    """

    name: str
    words: str
    digests: Mapping[str, str]
    layers: Layers
    heads: Sequence[Tensor] | None = None

    def features(self, images: Tensor) -> list[Tensor]:
        """Return features of unit length, for `between`. images: [N, 3, R, R] in [-1, 1]."""
        return [x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10) for x in self.layers(images)]

    def between(self, some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Return the distance of each image from the one in its place, by the features of both: [N]."""
        total: Tensor | float = 0.0
        for place, (a, b) in enumerate(zip(some, others, strict=True)):
            difference = (a - b).square()
            if self.heads is not None:
                difference = difference * self.heads[place][:, None, None]
            total = total + difference.sum(dim=1).mean(dim=(1, 2))
        assert isinstance(total, Tensor)
        return total


def perceptual_distance(vgg: Path | None, lpips: Path | None, device: str | torch.device) -> PerceptualDistance:
    """Return LPIPS where the files of both its parts are given, else the distance by I3D's first layers.

    Raises CheckpointError where a file holds something else, and WeightsError where I3D cannot be had.
    """
    if vgg is not None and lpips is not None:
        return lpips_distance(vgg, lpips, device)
    return i3d_distance(device)


def lpips_distance(vgg: Path, lpips: Path, device: str | torch.device) -> PerceptualDistance:
    """Return LPIPS by VGG16. vgg: torchvision's state dict. lpips: the linear heads. Raises CheckpointError."""
    channels = enumerate(BACKBONES["vgg"].channels)
    heads = {f"lin{place}.model.1.weight": (1, width, 1, 1) for place, width in channels}
    tensors = read_weights(vgg, "the weights of torchvision's VGG16", shapes("vgg"))
    weighting = read_weights(lpips, "LPIPS' linear heads for VGG16", heads)
    return PerceptualDistance(
        "lpips-vgg16",
        "LPIPS by VGG16, with the weights that were given",
        {"vgg16": _digest(tensors), "lpips": _digest(weighting)},
        _vgg_layers(VggLayers("vgg", tensors).to(device)),
        [weighting[name].flatten().to(device) for name in heads],
    )


def i3d_distance(device: str | torch.device) -> PerceptualDistance:
    """Return the distance by the first three convolutions of I3D. Its weights are fetched where they are missing."""
    loaded = weight_store.load(_I3D)
    return PerceptualDistance(
        "i3d-first-layers",
        "I3D's first three convolutions on stills, since VGG16 and LPIPS' heads were not both given",
        {_I3D: loaded.digest},
        still_layers(I3D.from_tensors(loaded.tensors), device),
    )


def _vgg_layers(network: VggLayers) -> Layers:
    def layers(images: Tensor) -> list[Tensor]:
        if images.shape[-1] > _LARGEST_SIDE:
            images = functional.interpolate(images, size=(_LARGEST_SIDE, _LARGEST_SIDE), mode="area")
        found: list[Tensor] = network(images)
        return found

    return layers


def still_layers(network: I3D, device: str | torch.device) -> Layers:
    """Return what I3D's first three convolutions give for videos that stand still, away from their ends."""
    first, third = (conv.kernel.sum(dim=2).to(device) for conv in (network.conv_1a, network.conv_2c))
    second = network.conv_2b.weight[:, :, None, None].to(device)
    biases = [b.to(device) for b in (network.conv_1a.bias, network.conv_2b.bias, network.conv_2c.bias)]
    before, after = same_padding(_I3D_SIDE, 7, 2)

    def layers(images: Tensor) -> list[Tensor]:
        x = functional.interpolate(images, size=(_I3D_SIDE, _I3D_SIDE), mode="bilinear", align_corners=False)
        x = functional.pad(x, [before, after, before, after])
        one = functional.conv2d(x, first, biases[0], stride=2).relu()
        pooled = functional.max_pool2d(one, 3, 2, ceil_mode=True)  # "same": the odd place is added at the end
        two = functional.conv2d(pooled, second, biases[1]).relu()
        return [one, two, functional.conv2d(two, third, biases[2], padding=1).relu()]

    return layers


def _digest(tensors: Mapping[str, Tensor]) -> str:
    return tensor_digest({name: tensor.numpy() for name, tensor in tensors.items()})
