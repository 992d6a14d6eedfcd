"""C3D as a feature extractor: the 101 logits of a clip, of which the video inception score is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fvd_bench.errors import ProtocolError
from fvd_bench.networks import NETWORKS, Features, Progress
from fvd_bench.networks import weights as weight_store
from fvd_bench.networks.c3d_network import C3D
from fvd_bench.networks.micro_batches import features_of
from fvd_bench.networks.weights import LoadedWeights
from fvd_bench.networks.weights.c3d_tensors import MEAN as MEAN_SHAPE
from fvd_bench.networks.weights.c3d_tensors import NUM_CLASSES
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.video import Pixels

WEIGHTS, MEAN = NETWORKS["c3d"].weights

SIZE = MEAN_SHAPE[-1]
RANGE = (0.0, 255.0)
"""The network subtracts a mean clip whose values are those of pixels."""

_BATCH_CLIPS = 2
"""Clips in a micro-batch. It is part of the arithmetic, so it is never a setting."""


class C3DExtractor:
    """C3D with weights that somebody fine-tuned on UCF-101."""

    dim = NUM_CLASSES

    def __init__(self, rule: FeatureRule, layers: LoadedWeights, mean: LoadedWeights, device: str) -> None:
        self._rule = rule
        self._network = C3D(layers.tensors, mean.tensors["mean"]).to(device)
        self._device = device
        self.weights = {WEIGHTS: layers.digest, MEAN: mean.digest}
        self.unverified: Sequence[str] = (*layers.unverified, *mean.unverified)

    def batch_clips(self, frames: int) -> int:
        return _BATCH_CLIPS

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        return features_of(self._network, clips, self._rule, size=_BATCH_CLIPS, device=self._device)


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> C3DExtractor:
    """Load the network. Raises ProtocolError for a layer or preprocessing that it does not have, and WeightsError."""
    if rule.layer != "logits":
        raise ProtocolError(f'c3d has the layer "logits", not {rule.layer!r}')
    if rule.resize is None or rule.resize.size != SIZE or rule.range != RANGE:
        raise ProtocolError(
            f"c3d sees {SIZE} × {SIZE} pixels with values of 0 to 255, from which it subtracts a mean clip: resize "
            f"must have size = {SIZE}, and range must be [0, 255]"
        )
    layers, mean = (weight_store.load(name, path=weights.get(name), progress=progress) for name in (WEIGHTS, MEAN))
    return C3DExtractor(rule, layers, mean, device)
