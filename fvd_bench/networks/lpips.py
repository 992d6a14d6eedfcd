"""LPIPS, version 0.1: how different two images look to a network that has learnt to see.

Features at unit length in every place of several layers, their squared differences, weighted by learnt heads for each
channel, averaged over places, and summed over layers. Source: Zhang et al. 2018, "The unreasonable effectiveness of
deep features as a perceptual metric", and the package lpips, lpips/lpips.py.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fvd_bench.errors import FeatureError
from fvd_bench.networks import Progress
from fvd_bench.networks import weights as weight_store
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.environment import check_torch
from fvd_bench.networks.weights.lpips_tensors import BACKBONES, heads, layers
from fvd_bench.videos.video import Pixels

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
"""The normalisation of colours in [-1, 1]."""

_BATCH_PIXELS, _MOST_IMAGES = 2**19, 16
"""Pixels and images of one side in a micro-batch, which is part of the arithmetic, so it is never a setting."""


class Layers(nn.Module):
    """The layers of a network that LPIPS compares. Gradients flow to the images, and to no weight."""

    def __init__(self, network: str, tensors: Mapping[str, Tensor]) -> None:
        """network: alex, vgg or squeeze. tensors: torchvision's, `features.0.weight` and so on."""
        super().__init__()
        taps = BACKBONES[network].taps
        whole = layers(network)
        state = {name.removeprefix("features."): tensor for name, tensor in tensors.items()}
        whole.load_state_dict(state, assign=True)
        self._stages = whole[: taps[-1] + 1].requires_grad_(False).eval()
        self._taps = frozenset(taps)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features [N, C, H, W] of each layer. images: [N, 3, H, W] in [-1, 1]."""
        shift, scale = (images.new_tensor(values)[:, None, None] for values in (_SHIFT, _SCALE))
        x = (images - shift) / scale
        found = []
        for place, stage in enumerate(self._stages):
            x = stage(x)
            if place in self._taps:
                found.append(x)
        return found


class Lpips:
    """LPIPS by one network.

    weights: tensor digests of the network and of the heads, by name. unverified: see `FeatureExtractor`.
    smallest: height and width of the smallest frames that it can see.
    """

    def __init__(
        self, network: str, *, device: str, weights: Mapping[str, Path], progress: Progress | None = None
    ) -> None:
        """Load the network, whose weights are fetched where they are missing, and the heads of the package lpips.

        Raises WeightsError where either cannot be had.
        """
        check_torch(device, "LPIPS")
        backbone = BACKBONES[network]
        linear, digest = heads(network)
        loaded = weight_store.load(backbone.weights, path=weights.get(backbone.weights), progress=progress)
        tensors = {name: torch.from_numpy(tensor) for name, tensor in loaded.tensors.items()}
        self._layers = Layers(network, tensors).to(device)
        self._heads = [torch.from_numpy(head)[0].to(device) for head in linear.values()]
        self._network, self._device = network, device
        self.smallest = backbone.smallest
        self.weights = {backbone.weights: loaded.digest, f"lpips-heads-{network}": digest}
        self.unverified: Sequence[str] = loaded.unverified

    @staticmethod
    def batch(height: int, width: int) -> int:
        """Return how many frames of this size to hand over at a time."""
        return max(1, min(_MOST_IMAGES, _BATCH_PIXELS // (height * width)))

    def distances(self, real: Pixels, fake: Pixels, spatial: Collection[bool] = (False,)) -> dict[bool, list[float]]:
        """Return the distance of each frame from the one in its place, in each of the ways that are asked for.

        real, fake: uint8 [N, H, W, 3], N at most that of `batch`. spatial: whether the map of each layer is enlarged to
        the size of the frames before it is averaged. A distance does not depend on the other frames.
        Raises FeatureError where a distance is not finite.
        """
        used, missing = len(real), self.batch(*real.shape[1:3]) - len(real)
        with torch.inference_mode(), float32_arithmetic("float32"):
            sides = [self._features(np.concatenate([side, side[:1].repeat(missing, axis=0)])) for side in (real, fake)]
            maps = [
                ((a - b).square() * head).sum(dim=1, keepdim=True)
                for a, b, head in zip(*sides, self._heads, strict=True)
            ]
            found = {way: self._mean(maps, real.shape[1:3] if way else None)[:used] for way in spatial}
        if not all(math.isfinite(distance) for distances in found.values() for distance in distances):
            raise FeatureError(
                f"LPIPS by {self._network} gave distances that are not finite; the weights or the arithmetic of this "
                "device are broken: `fvd-bench selftest --full` tells more"
            )
        return found

    def _features(self, frames: Pixels) -> list[Tensor]:
        images = torch.from_numpy(frames).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return [x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10) for x in self._layers(images)]

    def _mean(self, maps: Sequence[Tensor], size: Sequence[int] | None) -> list[float]:
        if size is not None:
            maps = [functional.interpolate(m, list(size), mode="bilinear", align_corners=False) for m in maps]
        found: list[float] = sum(m.mean(dim=(1, 2, 3)) for m in maps).double().tolist()  # type: ignore[union-attr]
        return found
