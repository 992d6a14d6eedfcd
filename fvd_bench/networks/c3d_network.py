"""The C3D network of Tran et al. 2015 (arXiv:1412.0767) as TGANv2 scores videos with it: from clips to 101 logits.

Eight convolutions of 3×3×3 with five max pools between them, and three fully connected layers (section 3.3 of the
paper). Pools round sizes up, as those of Caffe and Chainer do, so that the last one makes 4×4 places of 7×7. Source:
pfnet-research/tgan2, tgan2/models/c3d/c3d_ucf101.py, whose TorchScript port StyleGAN-V's scores were made with.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.networks.arithmetic import linear
from fvd_bench.networks.convolution import Convolution, TiledConvolution

_POOLS = {"conv1a": (1, 2, 2), "conv2a": (2, 2, 2), "conv3b": (2, 2, 2), "conv4b": (2, 2, 2), "conv5b": (2, 2, 2)}
"""Layers that a pool follows -> its window, which is its stride too: (time, height, width)."""

_TILED = ("conv2a", "conv3a", "conv3b", "conv4a", "conv4b")
"""Layers with channels enough, and frames large enough, for Winograd's algorithm."""

_FULLY_CONNECTED = ("fc6", "fc7", "fc8")


class C3D(nn.Module):
    """C3D with the widths of its tensors: 78 million weights, and 38.5 billion products for a clip at full width."""

    mean: Tensor

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], mean: NDArray[np.float32]) -> None:
        """Build the network.

        tensors: `LAYER/weight` and `LAYER/bias` of each layer, see `weights.c3d_tensors`. mean: the mean clip
        [3, 16, 112, 112], channels in the order blue, green, red, values of 0 to 255.
        """
        super().__init__()

        def pair(layer: str) -> tuple[Tensor, Tensor]:
            return torch.from_numpy(tensors[f"{layer}/weight"]), torch.from_numpy(tensors[f"{layer}/bias"])

        layers = dict.fromkeys(name.partition("/")[0] for name in tensors)
        kinds = {layer: TiledConvolution if layer in _TILED else Convolution for layer in layers}
        self.convolutions = nn.ModuleDict(
            {layer: kind(pair(layer)) for layer, kind in kinds.items() if layer not in _FULLY_CONNECTED}
        )
        for layer in _FULLY_CONNECTED:
            weight, bias = pair(layer)
            self.register_buffer(f"{layer}_weight", weight)
            self.register_buffer(f"{layer}_bias", bias)
        self.register_buffer("mean", torch.from_numpy(mean))
        self.eval()

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return the logits before softmax: float32 [B, 101].

        x: float32 [B, 3, 16, 112, 112], channels in the order red, green, blue, values of 0 to 255.
        """
        x = (x.flip(1) - self.mean).contiguous(memory_format=torch.channels_last_3d)
        for layer, convolution in self.convolutions.items():
            x = convolution(x).relu_()
            if window := _POOLS.get(layer):
                x = F.max_pool3d(x, window, ceil_mode=True)
        x = x.flatten(1)[:, None]  # [B, 1, 512 · 1 · 4 · 4]
        for layer in _FULLY_CONNECTED:
            x = linear(x, self.get_buffer(f"{layer}_weight"), self.get_buffer(f"{layer}_bias"))
            if layer != _FULLY_CONNECTED[-1]:
                x = x.relu_()
        return x[:, 0]
