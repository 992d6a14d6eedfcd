"""CLIP: embeddings of frames by ViT-L/14 at 336 pixels, as CMMD has them, and of clips by ViT-B/32, as FastVideo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.networks.weights.vision_transformers import (
    CLIP_B32,
    CLIP_B32_DIM,
    CLIP_L14_336,
    CLIP_L14_336_DIM,
)
from fvd_bench.protocols.rules import FeatureRule

_LARGE, _BASE = "clip-l14-336", "clip-b32"
"""Names of their weights."""


def create_large(
    rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
) -> FeatureExtractor:
    """Load CLIP ViT-L/14 at 336 pixels. Raises WeightsError."""
    from fvd_bench.networks.clip_network import UnitCLIP
    from fvd_bench.networks.extractor import TorchExtractor

    return TorchExtractor.load(
        lambda tensors: UnitCLIP(tensors, CLIP_L14_336), rule, LARGE, device=device, weights=weights, progress=progress
    )


def create_base(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load CLIP ViT-B/32. Raises WeightsError."""
    from fvd_bench.networks.clip_network import MeanCLIP
    from fvd_bench.networks.extractor import TorchExtractor

    return TorchExtractor.load(
        lambda tensors: MeanCLIP(tensors, CLIP_B32), rule, BASE, device=device, weights=weights, progress=progress
    )


LARGE = Network(
    name="clip-l14-336",
    layers={"embedding": CLIP_L14_336_DIM},
    sees="frames",
    size=CLIP_L14_336.image,
    range=(0.0, 1.0),
    weights=(_LARGE,),
    software=("transformers",),
    checked="transformers' own forward on seeded weights, to 1e-5",
    create=create_large,
)

BASE = Network(
    name="clip-b32",
    layers={"mean-embedding": CLIP_B32_DIM},
    sees="clips",
    size=CLIP_B32.image,
    range=(0.0, 1.0),
    weights=(_BASE,),
    software=("transformers",),
    checked="transformers' own forward on seeded weights, to 1e-5",
    create=create_base,
)
