"""DINOv2 ViT-L/14 as transformers has it: from images of 224 pixels to the class token.

Oquab et al. 2024 (arXiv:2304.07193), without registers. It was trained at 518 pixels, so the places of its patches are
interpolated. facebookresearch/dinov2, which dgm-eval and EDM2 run, does that with a factor a little larger than the
ratio of the sides (`interpolate_offset` in dinov2/models/vision_transformer.py). transformers takes the ratio itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.networks.normalisation import IMAGENET, Normalisation
from fvd_bench.networks.pretrained import pretrained, transformers_needed
from fvd_bench.networks.weights.vision_transformers import Size

IMAGE = 224
_EPSILON = 1e-6
_OFFSET = 0.1
"""What is added to the number of patches along a side before it is divided by that of the training."""


class DINOv2(nn.Module):
    """DINOv2's encoder and its last layer norm."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], size: Size, *, image: int = IMAGE) -> None:
        """Build the network. tensors: see `vision_transformers.dinov2`. image: side of the images that it will see."""
        super().__init__()
        with transformers_needed("DINOv2"):
            from transformers import Dinov2Config, Dinov2Model

        config = Dinov2Config(
            image_size=image,
            patch_size=size.patch,
            hidden_size=size.width,
            num_hidden_layers=size.depth,
            num_attention_heads=size.heads,
            mlp_ratio=size.hidden // size.width,
            layer_norm_eps=_EPSILON,
            use_mask_token=False,
        )
        self.normalisation = Normalisation(IMAGENET)
        self.model = pretrained(Dinov2Model, config, _of_transformers(tensors, size, image))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 1024] for x [B, 3, 224, 224] with values of 0 to 1."""
        token: Tensor = self.model(pixel_values=self.normalisation(x)).last_hidden_state[:, 0]
        return token


def places(table: NDArray[np.float32], size: Size, image: int) -> NDArray[np.float32]:
    """Return the table of places [1, 1 + n², K] for images of another side than those of the training."""
    grid, wanted = size.grid, image // size.patch
    if grid == wanted:
        return table
    patches = torch.from_numpy(table[:, 1:]).reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    factor = (wanted + _OFFSET) / grid
    resized = F.interpolate(patches, scale_factor=(factor, factor), mode="bicubic")
    assert resized.shape[2:] == (wanted, wanted)
    return np.concatenate([table[:, :1], resized.permute(0, 2, 3, 1).flatten(1, 2).numpy()], axis=1)


_LAYERS = {
    "attention.output.dense": "attn.proj",
    "norm1": "norm1",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
"""Layer of a block, as the hub's files name it -> as DINOv2 does."""


def _of_transformers(
    tensors: Mapping[str, NDArray[np.float32]], size: Size, image: int
) -> dict[str, NDArray[np.float32]]:
    """Return the tensors by the names of DINOv2 on the hub."""
    renamed = {
        "embeddings.cls_token": tensors["cls_token"],
        "embeddings.position_embeddings": places(tensors["pos_embed"], size, image),
    }
    for part in ("weight", "bias"):
        renamed[f"embeddings.patch_embeddings.projection.{part}"] = tensors[f"patch_embed.proj.{part}"]
        renamed[f"layernorm.{part}"] = tensors[f"norm.{part}"]
    for i in range(size.depth):
        block, theirs = f"blocks.{i}", f"encoder.layer.{i}"
        for part in ("weight", "bias"):
            query_key_value = np.split(tensors[f"{block}.attn.qkv.{part}"], 3)
            for name, tensor in zip(("query", "key", "value"), query_key_value, strict=True):
                renamed[f"{theirs}.attention.attention.{name}.{part}"] = tensor
            for name, layer in _LAYERS.items():
                renamed[f"{theirs}.{name}.{part}"] = tensors[f"{block}.{layer}.{part}"]
        for k in (1, 2):
            renamed[f"{theirs}.layer_scale{k}.lambda1"] = tensors[f"{block}.ls{k}.gamma"]
    return renamed
