"""VideoMAE as transformers has it: from clips to the mean of their tokens.

VideoMAE base (Tong et al. 2022, arXiv:2203.12602) as FastVideo reads it out, and VideoMAE-v2 ViT-g/14 (Wang et al.
2023, arXiv:2303.16727) as content-debiased FVD does. Sources: hao-ai-lab/FastVideo, fastvideo/eval/metrics/common/fvd/
extractors.py; songweige/content-debiased-fvd, cdfvd/third_party/VideoMAEv2.
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
from fvd_bench.networks.token_arithmetic import mean_of_tokens
from fvd_bench.networks.weights.vision_transformers import Size

_BASE_EPSILON, _V2_EPSILON = 1e-12, 1e-6
"""Epsilons of the layer norms: that of videomae-base's config.json, and that of VideoMAE-v2's vit_giant_patch14_224."""


_HEAD = ("fc_norm.", "classifier.")
"""What the names of tensors begin with that come behind the encoder, where it was fine-tuned."""


class VideoMAE(nn.Module):
    """VideoMAE base: the mean of the last tokens, after its layer norm."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], size: Size) -> None:
        """Build the network. tensors: see `vision_transformers.videomae`."""
        super().__init__()
        self.normalisation = Normalisation(IMAGENET)
        self.encoder = _encoder(tensors, size, epsilon=_BASE_EPSILON, ends_in_mean=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 768] for x [B, 3, 16, 224, 224] with values of 0 to 1."""
        return mean_of_tokens(_tokens(self.encoder, self.normalisation(x)))


class VideoMAEClassifier(nn.Module):
    """VideoMAE base as it was fine-tuned on Kinetics-400, whose logits a test of transformers publishes."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], size: Size) -> None:
        """Build the network. tensors: see `vision_transformers.videomae_classifier`."""
        super().__init__()
        self.head = {name: torch.from_numpy(tensor) for name, tensor in tensors.items() if name.startswith(_HEAD)}
        encoder = {name: tensor for name, tensor in tensors.items() if name not in self.head}
        self.encoder = _encoder(encoder, size, epsilon=_BASE_EPSILON, ends_in_mean=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 400] for x [B, 3, 16, 224, 224] with values of -1 to 1."""
        head = {name: tensor.to(x.device) for name, tensor in self.head.items()}
        mean = mean_of_tokens(_tokens(self.encoder, x))
        normed = F.layer_norm(mean, mean.shape[-1:], head["fc_norm.weight"], head["fc_norm.bias"])
        return F.linear(normed, head["classifier.weight"], head["classifier.bias"])


class VideoMAEv2(nn.Module):
    """VideoMAE-v2 ViT-g/14, fine-tuned: the layer norm of the mean of its tokens. It takes values as they are."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], size: Size) -> None:
        """Build the network. tensors: see `vision_transformers.videomae_v2`."""
        super().__init__()
        self.encoder = _encoder(_of_transformers(tensors, size), size, epsilon=_V2_EPSILON, ends_in_mean=True)
        for name in ("weight", "bias"):
            self.register_buffer(f"norm_{name}", torch.from_numpy(tensors[f"fc_norm.{name}"]))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 1408] for x [B, 3, 16, 224, 224] with values of 0 to 1."""
        mean = mean_of_tokens(_tokens(self.encoder, x))
        weight, bias = self.get_buffer("norm_weight"), self.get_buffer("norm_bias")
        return F.layer_norm(mean, mean.shape[-1:], weight, bias, eps=_V2_EPSILON)


def _encoder(
    tensors: Mapping[str, NDArray[np.float32]], size: Size, *, epsilon: float, ends_in_mean: bool
) -> nn.Module:
    with transformers_needed("VideoMAE"):
        from transformers import VideoMAEConfig, VideoMAEModel

    config = VideoMAEConfig(
        image_size=size.image,
        patch_size=size.patch,
        num_frames=size.frames,
        tubelet_size=size.tubelet,
        hidden_size=size.width,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        intermediate_size=size.hidden,
        layer_norm_eps=epsilon,
        use_mean_pooling=ends_in_mean,
    )
    model: nn.Module = pretrained(VideoMAEModel, config, tensors)
    return model


def _tokens(encoder: nn.Module, x: Tensor) -> Tensor:
    """Return the last tokens [B, N, K] of clips [B, 3, T, H, W]."""
    tokens: Tensor = encoder(pixel_values=x.transpose(1, 2)).last_hidden_state
    return tokens


def _of_transformers(tensors: Mapping[str, NDArray[np.float32]], size: Size) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of VideoMAE-v2's encoder by the names of VideoMAE on the hub."""
    renamed = {}
    for part in ("weight", "bias"):
        renamed[f"embeddings.patch_embeddings.projection.{part}"] = tensors[f"patch_embed.proj.{part}"]
    for i in range(size.depth):
        block, theirs = f"blocks.{i}", f"encoder.layer.{i}"
        query_key_value = np.split(tensors[f"{block}.attn.qkv.weight"], 3)
        for name, weight in zip(("query", "key", "value"), query_key_value, strict=True):
            renamed[f"{theirs}.attention.attention.{name}.weight"] = weight
        for name in ("q_bias", "v_bias"):
            renamed[f"{theirs}.attention.attention.{name}"] = tensors[f"{block}.attn.{name}"]
        for part in ("weight", "bias"):
            for name, layer in _LAYERS.items():
                renamed[f"{theirs}.{name}.{part}"] = tensors[f"{block}.{layer}.{part}"]
    return renamed


_LAYERS = {
    "attention.output.dense": "attn.proj",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
"""Layer of a block, as the hub's files name it -> as VideoMAE-v2 does."""
