"""I3D: the 400 logits of a clip, of which FVD is made, or the 1024 channels before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from fvd_bench.networks.network import FeatureExtractor, Network, Progress
from fvd_bench.protocols.rules import FeatureRule

if TYPE_CHECKING:
    from torch import Tensor

    from fvd_bench.networks.i3d_network import ReadOut

WEIGHTS = "i3d-kinetics-400"

READ_OUTS = {"logits": 400, "logits-all": 400, "pool": 1024}
"""What the network can give of a clip, and how many numbers that is. All are made of the last activation, "Mixed_5c".

logits: the original head: mean over windows of 2 x 7 x 7 places, products with the classes, mean over all windows. The
first and the last step count half. logits-all: the same with windows of 1 x 7 x 7, so that all steps count alike. pool:
the mean over all places, without the classes.
"""


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> FeatureExtractor:
    """Load the network with the weights of the tf.hub module deepmind/i3d-kinetics-400/1. Raises WeightsError."""
    from fvd_bench.networks.environment import micro_batch
    from fvd_bench.networks.extractor import TorchExtractor

    return TorchExtractor.load(
        lambda tensors: build(tensors, device, read_out=cast("ReadOut", rule.layer)),
        rule,
        NETWORK,
        device=device,
        weights=weights,
        progress=progress,
        batch_frames=micro_batch(device),
        side_by_side=True,
    )


def build(
    tensors: Mapping[str, NDArray[np.float32]], device: str, read_out: ReadOut = "logits"
) -> Callable[[Tensor], Tensor]:
    """Return the network as a function of float32 [B, 3, T, H, W], which is on the processor for `openvino`."""
    from fvd_bench.networks.i3d_network import I3D

    network = I3D.from_tensors(tensors, read_out=read_out)
    if device == "openvino":
        from fvd_bench.networks.i3d_openvino import OpenVINOI3D

        return OpenVINOI3D(network)
    return network.to(device)


NETWORK = Network(
    name="i3d",
    create=create,
    layers=READ_OUTS,
    fewest_frames=9,
    arithmetic={"cpu": "Winograd's convolutions"},  # see i3d_network.py
    devices=("cpu", "cuda", "mps", "openvino"),
    weights=(WEIGHTS,),
    checked="85 published numbers: `fvd-bench selftest`",
)
