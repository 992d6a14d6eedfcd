"""Clips through a network in micro-batches of one size, since the arithmetic may depend on how many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fvd_bench.networks import Features
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.preprocess import network_input
from fvd_bench.videos.video import Pixels


def features_of(
    network: Callable[[Tensor], Tensor], clips: Sequence[Pixels], rule: FeatureRule, *, size: int, device: str
) -> list[Features]:
    """Return the features of each clip, float32 [1, D]. The last micro-batch is filled up with its first clip.

    network: from [size, 3, T, H, W], as the rule prepares clips, to [size, D]. clips: all of as many frames.
    """
    features: list[Features] = []
    with torch.inference_mode(), float32_arithmetic(rule.precision):
        for first in range(0, len(clips), size):
            part = clips[first : first + size]
            inputs = [network_input(torch.from_numpy(clip).to(device), rule) for clip in part]
            inputs += [inputs[0]] * (size - len(part))
            found = network(torch.stack(inputs)).cpu().numpy()
            features += [found[i : i + 1] for i in range(len(part))]
    return features
