"""The Inception network of FID, as torch-fidelity ported it from TensorFlow: features or logits of single frames."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fvd_bench.networks.arithmetic import linear
from fvd_bench.networks.extractor import TorchExtractor
from fvd_bench.packages import needed_for
from fvd_bench.videos.video import Pixels

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


class InceptionExtractor(TorchExtractor):
    """A network that resizes and scales uint8 images itself."""

    def _prepared(self, clip: Pixels) -> Tensor:
        return self._on_device(clip).permute(3, 0, 1, 2)  # uint8 [3, T, H, W]


class Inception(torch.nn.Module):
    """torch-fidelity's module, with its pooled features or logits of them as the only output.

    channels_last: the layout of its kernels, and so of its activations. Processors are 1.4 times as fast with it.
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], *, gives_logits: bool, channels_last: bool) -> None:
        super().__init__()
        self._network = _network(tensors)
        if channels_last:
            self._network.to(memory_format=torch.channels_last)
        self._gives_logits = gives_logits

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 [B, 2048], or logits [B, 1008], of images uint8 [B, 3, H, W]."""
        features: Tensor
        (features,) = self._network(images)
        return linear(features[None], self._network.fc.weight)[0] if self._gives_logits else features


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
