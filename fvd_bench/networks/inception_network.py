"""The Inception network of FID, as torch-fidelity ported it from TensorFlow: features or logits of each frame."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from fvd_bench.networks.arithmetic import float32_arithmetic, linear
from fvd_bench.networks.network import Features
from fvd_bench.networks.weights import LoadedWeights
from fvd_bench.packages import needed_for
from fvd_bench.videos.video import Pixels

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

_BATCH_FRAMES = 32
"""Frames in a micro-batch. It is part of the arithmetic, so it is never a setting."""


class InceptionExtractor:
    """torch-fidelity's Inception, which resizes and scales uint8 images itself."""

    def __init__(self, loaded: LoadedWeights, *, dim: int, gives_logits: bool, device: str, precision: str) -> None:
        self.dim = dim
        self._network = _network(loaded.tensors).to(device).eval()
        self._gives_logits = gives_logits
        self._device = device
        self._precision = precision
        self.weights = {loaded.name: loaded.digest}
        self.unverified: Sequence[str] = loaded.unverified

    def batch_clips(self, frames: int) -> int:
        return max(1, _BATCH_FRAMES // frames)

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        """Return the features of each clip's frames, float32 [T, dim]. The clips may differ in size and length."""
        features: list[Features] = []
        for _, group in itertools.groupby(clips, key=lambda clip: clip.shape[1:]):
            alike = list(group)
            ends = np.cumsum([len(clip) for clip in alike])
            features += np.split(self._frames(np.concatenate(alike)), ends[:-1])
        return features

    def _frames(self, clip: Pixels) -> Features:
        batches: list[Features] = []
        for first in range(0, len(clip), _BATCH_FRAMES):
            part = clip[first : first + _BATCH_FRAMES]
            padding = np.repeat(part[:1], _BATCH_FRAMES - len(part), axis=0)
            images = torch.from_numpy(np.concatenate([part, padding])).to(self._device).permute(0, 3, 1, 2)
            with torch.inference_mode(), float32_arithmetic(self._precision):
                (features,) = self._network(images.contiguous())  # [32, 2048]
                if self._gives_logits:
                    features = linear(features[None], self._network.fc.weight)[0]  # [32, 1008]
            batches.append(features[: len(part)].cpu().numpy())
        return np.concatenate(batches)


def _network(tensors: Mapping[str, NDArray[np.float32]]) -> FeatureExtractorInceptionV3:
    """Return torch-fidelity's module. It unpickles anything in the file that it is given, so that is a file of our own.

    The module returns the pooled features. Its logits are a product of these whose last bits depend on the number of
    threads, so they are not taken from it.
    """
    with needed_for("FID, KID and the inception score", "torch-fidelity"):
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with tempfile.TemporaryDirectory(prefix="fvd-bench-") as folder:
        file = Path(folder) / "inception.pth"
        torch.save({name: torch.from_numpy(array) for name, array in tensors.items()}, file)
        return FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(file))
