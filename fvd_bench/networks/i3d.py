"""I3D: the 400 logits of a clip, of which FVD is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.protocols.rules import FeatureRule

WEIGHTS = "i3d-kinetics-400"


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load the network with the weights of the tf.hub module deepmind/i3d-kinetics-400/1. Raises WeightsError."""
    from fvd_bench.networks import weights as weight_store
    from fvd_bench.networks.extractor import TorchExtractor
    from fvd_bench.networks.i3d_network import I3D

    loaded = weight_store.load(WEIGHTS, path=weights.get(WEIGHTS), progress=progress)
    network = I3D.from_tensors(loaded.tensors)
    return TorchExtractor(network, rule, NETWORK, device=device, weights={WEIGHTS: loaded.digest})


NETWORK = Network(
    name="i3d",
    create=create,
    layers={"logits": 400},
    fewest_frames=9,
    weights=(WEIGHTS,),
    checked="85 published numbers: `fvd-bench selftest`",
)
