"""V-JEPA: ViT-H/16 with its attentive pooler as JEDi reads it out, and V-JEPA 2 ViT-L/16."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.networks.weights.vision_transformers import VJEPA2_L, VJEPA_H
from fvd_bench.protocols.rules import FeatureRule

_ENCODER, _PROBE, _SECOND = "vjepa-h", "vjepa-h-ssv2-probe", "vjepa2-l"
"""Names of their weights."""


def create_first(
    rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
) -> FeatureExtractor:
    """Load V-JEPA and the probe that was trained on Something-Something v2. Raises WeightsError."""
    from fvd_bench.networks.extractor import TorchExtractor
    from fvd_bench.networks.vjepa_network import VJEPA

    return TorchExtractor.load(
        lambda encoder, probe: VJEPA(encoder, probe, VJEPA_H),
        rule,
        FIRST,
        device=device,
        weights=weights,
        progress=progress,
    )


def create_second(
    rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
) -> FeatureExtractor:
    """Load V-JEPA 2. Raises WeightsError."""
    from fvd_bench.networks.extractor import TorchExtractor
    from fvd_bench.networks.vjepa2_network import VJEPA2

    return TorchExtractor.load(
        lambda tensors: VJEPA2(tensors, VJEPA2_L), rule, SECOND, device=device, weights=weights, progress=progress
    )


FIRST = Network(
    name="vjepa-h",
    layers={"pooled": VJEPA_H.width},
    sees="clips",
    fewest_frames=VJEPA_H.frames,
    most_frames=VJEPA_H.frames,
    size=VJEPA_H.image,
    range=(0.0, 1.0),
    weights=(_ENCODER, _PROBE),
    checked="its forward written a second time, on seeded weights, to 1e-5",
    create=create_first,
)

SECOND = Network(
    name="vjepa2-l",
    layers={"mean": VJEPA2_L.width},
    sees="clips",
    fewest_frames=VJEPA2_L.tubelet,
    size=VJEPA2_L.image,
    range=(0.0, 1.0),
    weights=(_SECOND,),
    software=("transformers",),
    checked="transformers' own forward on seeded weights, to 1e-5",
    create=create_second,
)
