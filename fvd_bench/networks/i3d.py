"""I3D as a feature extractor: the 400 logits of a clip, or the 1024 channels before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fvd_bench.errors import ProtocolError
from fvd_bench.networks import NETWORKS, Features, Progress
from fvd_bench.networks import weights as weight_store
from fvd_bench.networks.i3d_network import I3D, READ_OUTS
from fvd_bench.networks.micro_batches import features_of
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.video import Pixels

(WEIGHTS,) = NETWORKS["i3d"].weights

_BATCH_FRAMES = 32
"""Frames in a micro-batch: 2 clips of 16 frames, or 1 of 128. It is part of the arithmetic, so it is never a
setting."""


class I3DExtractor:
    """I3D with the weights of the tf.hub module deepmind/i3d-kinetics-400/1."""

    unverified: Sequence[str] = ()

    def __init__(self, rule: FeatureRule, network: I3D, digest: str, device: str) -> None:
        self.dim = network.dim
        self._rule = rule
        self._network = network.to(device)
        self._device = device
        self.weights = {WEIGHTS: digest}

    def batch_clips(self, frames: int) -> int:
        return max(1, _BATCH_FRAMES // frames)

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        size = self.batch_clips(len(clips[0]))
        return features_of(self._network, clips, self._rule, size=size, device=self._device)


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> I3DExtractor:
    """Load the network. Raises ProtocolError for a layer that is none of `READ_OUTS`, and WeightsError without
    weights."""
    read_out = next((name for name in READ_OUTS if name == rule.layer), None)
    if read_out is None:
        raise ProtocolError(f"i3d has the layers {', '.join(READ_OUTS)}, not {rule.layer!r}")
    loaded = weight_store.load(WEIGHTS, path=weights.get(WEIGHTS), progress=progress)
    return I3DExtractor(rule, I3D.from_tensors(loaded.tensors, read_out=read_out), loaded.digest, device)
