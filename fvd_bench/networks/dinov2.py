"""DINOv2 ViT-L/14: the class token of each frame, as dgm-eval and EDM2 read it out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.networks.weights.vision_transformers import DINOV2_L
from fvd_bench.protocols.rules import FeatureRule

_WEIGHTS = "dinov2-l"


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load DINOv2. Raises WeightsError."""
    from fvd_bench.networks.dinov2_network import DINOv2
    from fvd_bench.networks.extractor import TorchExtractor

    return TorchExtractor.load(
        lambda tensors: DINOv2(tensors, DINOV2_L), rule, NETWORK, device=device, weights=weights, progress=progress
    )


NETWORK = Network(
    name="dinov2-l",
    layers={"cls": DINOV2_L.width},
    sees="frames",
    size=224,
    range=(0.0, 1.0),
    weights=(_WEIGHTS,),
    software=("transformers",),
    checked="transformers' own forward on seeded weights, to 1e-5",
    create=create,
)
