"""The parts that LPIPS is made of: the convolutions of a network that torchvision publishes, and linear heads.

The heads, version 0.1, come in the package lpips. Of torchvision's files only the layers below the classifier are used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fvd_bench.errors import WeightsError
from fvd_bench.networks.weights import files

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network below LPIPS.

    model, enum: torchvision's names of the network and of its weights. weights: our name of them.
    taps: the places in torchvision's `features` whose outputs LPIPS compares. channels: of these outputs.
    smallest: height and width of the smallest frames that the network can see.
    heads: tensor digest of the published linear heads.
    """

    model: str
    enum: str
    weights: str
    taps: tuple[int, ...]
    channels: tuple[int, ...]
    smallest: int
    heads: str


BACKBONES: Mapping[str, Backbone] = {
    "alex": Backbone(
        model="alexnet",
        enum="AlexNet_Weights",
        weights="alexnet-imagenet",
        taps=(1, 4, 7, 9, 11),
        channels=(64, 192, 384, 256, 256),
        smallest=31,
        heads="4fbcbc863cc285b6f7be187473e4846823b43c30cd871fefcd781008524bd5d6",
    ),
    "vgg": Backbone(
        model="vgg16",
        enum="VGG16_Weights",
        weights="vgg16-imagenet",
        taps=(3, 8, 15, 22, 29),
        channels=(64, 128, 256, 512, 512),
        smallest=16,
        heads="b9384e1214b0900a30c9e2a66088051bc26b2c0f8299d96c3b9e0588da931b92",
    ),
    "squeeze": Backbone(
        model="squeezenet1_1",
        enum="SqueezeNet1_1_Weights",
        weights="squeezenet1_1-imagenet",
        taps=(1, 4, 7, 9, 10, 11, 12),
        channels=(64, 128, 256, 384, 384, 512, 512),
        smallest=17,
        heads="9ad35202d714b73cee604dd8a5187b70744aa6c0f90f42ca486fcd82ac51c8db",
    ),
}
"""The network that a protocol names -> what is known of it."""


def layers(network: str) -> nn.Sequential:
    """Return the convolutions of a network without memory for their weights, on torch's device `meta`."""
    import torch
    import torchvision

    with torch.device("meta"):
        model = getattr(torchvision.models, BACKBONES[network].model)(weights=None)
    features: nn.Sequential = model.features
    return features


def shapes(network: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of torchvision's tensors below the classifier, by their names."""
    return {f"features.{name}": tuple(tensor.shape) for name, tensor in layers(network).state_dict().items()}


def address(network: str) -> str:
    """Return where the installed torchvision gets a network's weights."""
    import torchvision

    return str(getattr(torchvision.models, BACKBONES[network].enum).IMAGENET1K_V1.url)


def arranger(network: str) -> Callable[[Mapping[str, np.ndarray], str], dict[str, np.ndarray]]:
    """Return a function that takes the convolutions of a network from the tensors of a file, see `WeightSpec`."""
    return partial(_convolutions, network)


def _convolutions(network: str, tensors: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return torchvision's tensors below the classifier. Raises WeightsError where the network has others."""
    return _of_shapes(tensors, shapes(network), f"{where} is not torchvision's {BACKBONES[network].model}")


def heads(network: str) -> tuple[dict[str, np.ndarray], str]:
    """Return the linear heads of the package lpips, by name, and their digest.

    Raises WeightsError where the package is absent, or its heads are not the published ones.
    """
    spec = importlib.util.find_spec("lpips")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            "LPIPS needs the linear heads of the package lpips, which is not installed: pip install lpips"
        )
    file = Path(spec.submodule_search_locations[0]) / "weights" / "v0.1" / f"{network}.pth"
    found = files.read_tensors(
        file, name=f"LPIPS' heads for {network}", accepted="a torch state dict", forms=["state dict"], sdist=None
    )
    expected = {f"lin{k}.model.1.weight": (1, n, 1, 1) for k, n in enumerate(BACKBONES[network].channels)}
    tensors = _of_shapes(found, expected, f"{file} does not hold LPIPS' heads for {network}")
    digest = files.tensor_digest(tensors)
    if digest != BACKBONES[network].heads:
        raise WeightsError(f"{file} does not hold the published heads of LPIPS 0.1: their tensors have another digest")
    return tensors, digest


def _of_shapes(
    tensors: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]], wrong: str
) -> dict[str, np.ndarray]:
    for name, shape in expected.items():
        found = tensors[name].shape if name in tensors else None
        if found != shape:
            what = "is missing" if found is None else f"has the shape {list(found)}"
            raise WeightsError(f"{wrong}: its {name} {what}, expected {list(shape)}")
    return {name: tensors[name] for name in expected}
