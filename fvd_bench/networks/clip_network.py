"""The image tower of CLIP as transformers has it: from images to embeddings.

Radford et al. 2021 (arXiv:2103.00020). ViT-L/14 at 336 pixels as CMMD embeds images, each embedding divided by its
length, and ViT-B/32 as FastVideo embeds clips, by the mean over frames. Sources: sayakpaul/cmmd-pytorch, embedding.py;
hao-ai-lab/FastVideo, fastvideo/eval/metrics/common/fvd/extractors.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.networks.normalisation import OPENAI_CLIP, Normalisation
from fvd_bench.networks.pretrained import pretrained, transformers_needed
from fvd_bench.networks.token_arithmetic import mean_of_tokens
from fvd_bench.networks.weights.vision_transformers import Size

_EPSILON = 1e-5


class CLIP(nn.Module):
    """CLIP's embedding of images."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], size: Size) -> None:
        """Build the network. tensors: see `vision_transformers.clip`."""
        super().__init__()
        with transformers_needed("CLIP"):
            from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        config = CLIPVisionConfig(
            image_size=size.image,
            patch_size=size.patch,
            hidden_size=size.width,
            num_hidden_layers=size.depth,
            num_attention_heads=size.heads,
            intermediate_size=size.hidden,
            projection_dim=len(tensors["visual_projection.weight"]),
            hidden_act="quick_gelu",
            layer_norm_eps=_EPSILON,
        )
        self.normalisation = Normalisation(OPENAI_CLIP)
        self.model = pretrained(CLIPVisionModelWithProjection, config, tensors)

    def embed(self, x: Tensor) -> Tensor:
        """Return [B, D] for x [B, 3, H, W] with values of 0 to 1."""
        embeddings: Tensor = self.model(pixel_values=self.normalisation(x)).image_embeds
        return embeddings


class UnitCLIP(CLIP):
    """Embeddings of length 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 768] for x [B, 3, 336, 336] with values of 0 to 1."""
        embeddings = self.embed(x)
        unit: Tensor = embeddings / torch.linalg.vector_norm(embeddings, dim=-1, keepdim=True)
        return unit


class MeanCLIP(CLIP):
    """The mean of the embeddings of a clip's frames."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 512] for x [B, 3, T, 224, 224] with values of 0 to 1."""
        clips, frames = len(x), x.shape[2]
        embeddings = self.embed(x.transpose(1, 2).flatten(0, 1))
        return mean_of_tokens(embeddings.reshape(clips, frames, -1))
