"""The Inception network of FID: features or logits of each frame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from fvd_bench.errors import ProtocolError
from fvd_bench.networks.network import BATCH_FRAMES, FeatureExtractor, Network, Progress
from fvd_bench.protocols.rules import FeatureRule

WEIGHTS = "inception-2015-12-05"
_LOGITS = "logits_unbiased"


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load the network as torch-fidelity ported it. Raises ProtocolError for a rounding, and WeightsError."""
    from fvd_bench.networks.inception_network import Inception, InceptionExtractor

    if rule.rounding != "none":
        raise ProtocolError("inception resizes and scales by itself: rounding must be none")
    return InceptionExtractor.load(
        partial(Inception, gives_logits=rule.layer == _LOGITS, channels_last=device == "cpu"),
        rule,
        NETWORK,
        device=device,
        weights=weights,
        progress=progress,
        batch_frames=BATCH_FRAMES,
    )


NETWORK = Network(
    name="inception",
    create=create,
    layers={"2048": 2048, _LOGITS: 1008},  # pooled features for FID and KID, logits for the inception score
    sees="frames",
    arithmetic={"cpu": "channels-last"},
    size=299,
    kernel="bilinear-tf1",
    range=(-1.0, 127 / 128),  # it scales by (x - 128) / 128, which maps 255 to 127/128
    weights=(WEIGHTS,),
    checked="torch-fidelity's own, on seeded weights, to 1e-6",
)
