"""Colours on a coarse grid as features. This is not a network, but serves to test everything around one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fvd_bench.networks.network import Features, Network, Progress
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.video import Pixels

_GRID = 3


class PixelsExtractor:
    """Mean colour and mean change between frames, 0 for a single one, in each cell of a 3×3 grid: 54 numbers."""

    dim = 2 * 3 * _GRID * _GRID
    weights: Mapping[str, str] = {}
    unverified: Sequence[str] = ()

    def __init__(self, rule: FeatureRule) -> None:
        self._rule = rule

    def batch_clips(self, frames: int) -> int:
        return 4

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        import torch

        from fvd_bench.networks.arithmetic import float32_arithmetic

        with torch.inference_mode(), float32_arithmetic(self._rule.precision):
            return [self._features(clip) for clip in clips]

    def _features(self, clip: Pixels) -> Features:
        import torch

        from fvd_bench.videos.preprocess import network_input

        values = network_input(torch.from_numpy(clip), self._rule)  # [3, T, S, S]
        cells = torch.nn.functional.adaptive_avg_pool2d(values, _GRID)  # [3, T, 3, 3]
        change = cells.diff(dim=1).abs().mean(dim=1) if cells.shape[1] > 1 else torch.zeros_like(cells[:, 0])
        features = torch.cat([cells.mean(dim=1).flatten(), change.flatten()])
        return np.asarray(features.numpy()[None], dtype=np.float32)


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress) -> PixelsExtractor:
    return PixelsExtractor(rule)


NETWORK = Network(name="pixels", create=create, layers={"logits": PixelsExtractor.dim}, checked="for tests alone")
