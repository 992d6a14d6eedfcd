"""VideoMAE: base as FastVideo reads it out, and VideoMAE-v2 ViT-g/14 as content-debiased FVD does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.networks.weights.vision_transformers import VIDEOMAE_BASE, VIDEOMAE_V2_G
from fvd_bench.protocols.rules import FeatureRule

_BASE, _GIANT = "videomae-base", "videomae-v2-g-ssv2"
"""Names of their weights."""

_BATCH_FRAMES = 16
"""Frames in a micro-batch of ViT-g: one clip."""


def create_base(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load VideoMAE base, which was trained on Kinetics-400 without labels. Raises WeightsError."""
    from fvd_bench.networks.extractor import TorchExtractor
    from fvd_bench.networks.videomae_network import VideoMAE

    return TorchExtractor.load(
        lambda tensors: VideoMAE(tensors, VIDEOMAE_BASE), rule, BASE, device=device, weights=weights, progress=progress
    )


def create_giant(
    rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
) -> FeatureExtractor:
    """Load VideoMAE-v2 ViT-g/14 as it was fine-tuned on Something-Something v2. Raises WeightsError."""
    from fvd_bench.networks.extractor import TorchExtractor
    from fvd_bench.networks.videomae_network import VideoMAEv2

    return TorchExtractor.load(
        lambda tensors: VideoMAEv2(tensors, VIDEOMAE_V2_G),
        rule,
        GIANT,
        device=device,
        weights=weights,
        progress=progress,
        batch_frames=_BATCH_FRAMES,
    )


BASE = Network(
    name="videomae-base",
    layers={"mean": VIDEOMAE_BASE.width},
    sees="clips",
    fewest_frames=VIDEOMAE_BASE.frames,
    most_frames=VIDEOMAE_BASE.frames,
    size=VIDEOMAE_BASE.image,
    range=(0.0, 1.0),
    weights=(_BASE,),
    software=("transformers",),
    checked="transformers' own forward on seeded weights, to 1e-5",
    create=create_base,
)

GIANT = Network(
    name="videomae-v2-g",
    layers={"mean": VIDEOMAE_V2_G.width},
    sees="clips",
    fewest_frames=VIDEOMAE_V2_G.frames,
    most_frames=VIDEOMAE_V2_G.frames,
    size=VIDEOMAE_V2_G.image,
    range=(0.0, 1.0),
    weights=(_GIANT,),
    software=("transformers",),
    checked="its forward written a second time, on seeded weights, to 1e-5",
    create=create_giant,
)
