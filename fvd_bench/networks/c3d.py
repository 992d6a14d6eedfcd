"""C3D: the 101 logits of a clip, of which the video inception score is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.networks.weights.c3d_tensors import MEAN as MEAN_SHAPE
from fvd_bench.networks.weights.c3d_tensors import NUM_CLASSES
from fvd_bench.protocols.rules import FeatureRule

WEIGHTS, MEAN = "c3d-ucf101", "c3d-ucf101-mean"


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load the network with weights that somebody fine-tuned on UCF-101. Raises WeightsError."""
    from fvd_bench.networks.c3d_network import C3D
    from fvd_bench.networks.extractor import TorchExtractor

    return TorchExtractor.load(
        lambda layers, mean: C3D(layers, mean["mean"]),
        rule,
        NETWORK,
        device=device,
        weights=weights,
        progress=progress,
        side_by_side=True,
    )


NETWORK = Network(
    name="c3d",
    create=create,
    layers={"logits": NUM_CLASSES},
    fewest_frames=16,
    most_frames=16,
    arithmetic={"cpu": "Winograd's convolutions"},  # see c3d_network.py
    size=MEAN_SHAPE[-1],
    range=(0.0, 255.0),  # it subtracts a mean clip whose values are those of pixels
    weights=(WEIGHTS, MEAN),
    checked="a computation by hand, and the sizes of TGANv2's, on seeded weights",
)
