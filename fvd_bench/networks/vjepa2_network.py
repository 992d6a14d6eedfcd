"""V-JEPA 2 ViT-L/16 as transformers has it: from clips to the mean of their tokens.

Source: Assran et al. 2025 (arXiv:2506.09985). Which read-out makes a distance of it nobody has said: the mean of all
tokens is ours, as FastVideo and JEDi (without its probe) read out their networks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.errors import FeatureError
from fvd_bench.networks.normalisation import IMAGENET, Normalisation
from fvd_bench.networks.pretrained import pretrained, transformers_needed
from fvd_bench.networks.token_arithmetic import mean_of_tokens
from fvd_bench.networks.weights.vision_transformers import Size

_EPSILON = 1e-6


class VJEPA2(nn.Module):
    """V-JEPA 2's encoder, without the predictor."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], size: Size) -> None:
        """Build the network. tensors: see `vision_transformers.vjepa2`."""
        super().__init__()
        with transformers_needed("V-JEPA 2"):
            from transformers import VJEPA2Config, VJEPA2Model

        config = VJEPA2Config(
            crop_size=size.image,
            patch_size=size.patch,
            frames_per_clip=size.frames,
            tubelet_size=size.tubelet,
            hidden_size=size.width,
            num_hidden_layers=size.depth,
            num_attention_heads=size.heads,
            mlp_ratio=size.hidden / size.width,
            layer_norm_eps=_EPSILON,
            pred_num_hidden_layers=0,
        )
        self.normalisation = Normalisation(IMAGENET)
        self.tubelet = size.tubelet
        self.model = pretrained(VJEPA2Model, config, tensors, without=("predictor.",))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 1024] for x [B, 3, T, 256, 256] with values of 0 to 1, where T is even."""
        if x.shape[2] % self.tubelet:
            raise FeatureError(
                f"V-JEPA 2 sees {self.tubelet} frames at a time, and a clip has {x.shape[2]}: expected a multiple of "
                f"{self.tubelet}, which `frames` of a protocol states"
            )
        return mean_of_tokens(self.tokens(x))

    def tokens(self, x: Tensor) -> Tensor:
        """Return the last tokens [B, N, 1024] of the same."""
        pixels = self.normalisation(x).transpose(1, 2)
        tokens: Tensor = self.model(pixel_values_videos=pixels, skip_predictor=True).last_hidden_state
        return tokens
