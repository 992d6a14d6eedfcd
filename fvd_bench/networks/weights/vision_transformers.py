"""The tensors of vision transformers: what their published files name them, and which shapes they have.

Files hold more than a network needs, such as heads, decoders and text towers, which are not read. Everything else must
be there, and nothing more. Sources of the names: OpenGVLab/VideoMAEv2, models/modeling_finetune.py; facebookresearch/
jepa, src/models; facebookresearch/dinov2, dinov2/models; the model classes of transformers for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fvd_bench.errors import WeightsError

Shapes = dict[str, tuple[int, ...]]

_CHANNELS = 3
_SHOWN = 2
"""How many faults of a file an error names."""


@dataclass(frozen=True)
class Size:
    """The size of a vision transformer.

    width: of a token. depth: number of blocks. heads: of an attention. hidden: width inside a perceptron. patch, image:
    sides in pixels. frames: of a clip, 0 for networks of single images. tubelet: frames of a patch.
    """

    width: int
    depth: int
    heads: int
    hidden: int
    patch: int
    image: int
    frames: int = 0
    tubelet: int = 2

    @property
    def grid(self) -> int:
        """Patches along a side of the image."""
        return self.image // self.patch

    @property
    def kernel(self) -> tuple[int, ...]:
        """The shape of the weights that make a token of a patch."""
        patch = (self.patch, self.patch)
        return (self.width, _CHANNELS, *((self.tubelet, *patch) if self.frames else patch))


@dataclass(frozen=True)
class Layout:
    """What is read of a file.

    what: what errors call the network. shapes: the tensors, by the names that they have here.
    prefixes: removed from names in files. unused: what the names of tensors begin with that are not read, after that.
    rename: gives tensors their names here, None where files have these already.
    never_zero: what the names of tensors end with that are not all zero in any trained network.
    """

    what: str
    shapes: Shapes
    prefixes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    rename: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None
    never_zero: tuple[str, ...] = ()

    def arrange(self, tensors: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
        """Return the tensors of `shapes`. where: what errors call the file.

        Raises WeightsError, naming the tensors, where some are missing, are unknown, or have another shape.
        """
        named = {self._name(name): tensor for name, tensor in tensors.items()}
        found = {name: tensor for name, tensor in named.items() if not name.startswith(self.unused)}
        if self.rename is not None:
            found = self.rename(found)
        faults = [f"{name} is missing" for name in self.shapes if name not in found]
        faults += [f"{name} is none of its tensors" for name in found if name not in self.shapes]
        faults += [
            f"{name} has the shape {found[name].shape}, expected {shape}"
            for name, shape in self.shapes.items()
            if name in found and found[name].shape != shape
        ]
        if faults:
            more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
            raise WeightsError(f"{where} does not hold {self.what}: {', '.join(faults[:_SHOWN])}{more}")
        self._refuse_zeros(found, where)
        return {name: np.ascontiguousarray(found[name]) for name in self.shapes}

    def _name(self, name: str) -> str:
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name

    def _refuse_zeros(self, tensors: Mapping[str, np.ndarray], where: str) -> None:
        for ending in self.never_zero:
            names = [name for name in self.shapes if name.endswith(ending)]
            if names and not any(tensors[name].any() for name in names):
                raise WeightsError(
                    f"{where} does not hold {self.what} as it was trained: all {len(names)} tensors named "
                    f"…{ending} are zero, as in copies that a library has saved after it lost them"
                )


VIDEOMAE_BASE = Size(width=768, depth=12, heads=12, hidden=3072, patch=16, image=224, frames=16)
VIDEOMAE_V2_G = Size(width=1408, depth=40, heads=16, hidden=6144, patch=14, image=224, frames=16)
VJEPA_H = Size(width=1280, depth=32, heads=16, hidden=5120, patch=16, image=224, frames=16)
VJEPA2_L = Size(width=1024, depth=24, heads=16, hidden=4096, patch=16, image=256, frames=64)
DINOV2_L = Size(width=1024, depth=24, heads=16, hidden=4096, patch=14, image=518)
"""The size that it was trained at last; it is run at 224 pixels."""

CLIP_L14_336 = Size(width=1024, depth=24, heads=16, hidden=4096, patch=14, image=336)
CLIP_L14_336_DIM = 768
CLIP_B32 = Size(width=768, depth=12, heads=12, hidden=3072, patch=32, image=224)
CLIP_B32_DIM = 512
"""The lengths of CLIP's embeddings of images."""


def videomae(size: Size) -> Layout:
    """Return the layout of VideoMAE, with the names of transformers 4 and of the hub's files."""
    shapes: Shapes = {
        "embeddings.patch_embeddings.projection.weight": size.kernel,
        "embeddings.patch_embeddings.projection.bias": (size.width,),
    }
    for i in range(size.depth):
        block = f"encoder.layer.{i}"
        attention = f"{block}.attention.attention"
        shapes |= {f"{attention}.{name}.weight": (size.width, size.width) for name in ("query", "key", "value")}
        shapes |= {f"{attention}.{name}": (size.width,) for name in ("q_bias", "v_bias")}
        shapes |= _linear(f"{block}.attention.output.dense", size.width, size.width)
        shapes |= _linear(f"{block}.intermediate.dense", size.width, size.hidden)
        shapes |= _linear(f"{block}.output.dense", size.hidden, size.width)
        shapes |= _norm(f"{block}.layernorm_before", size.width) | _norm(f"{block}.layernorm_after", size.width)
    shapes |= _norm("layernorm", size.width)
    return Layout(
        "VideoMAE base",
        shapes,
        prefixes=("videomae.",),
        unused=("decoder.", "encoder_to_decoder.", "mask_token"),
        rename=_biases_of_later_files,
        never_zero=("q_bias", "v_bias"),
    )


def videomae_classifier(size: Size, classes: int) -> Layout:
    """Return the layout of VideoMAE as it was fine-tuned, which has another last layer norm, and a layer of classes."""
    base = videomae(size)
    shapes = {name: shape for name, shape in base.shapes.items() if not name.startswith("layernorm.")}
    shapes |= _norm("fc_norm", size.width) | _linear("classifier", size.width, classes)
    return replace(base, what="VideoMAE base with the classes of Kinetics-400", shapes=shapes, unused=())


def videomae_v2(size: Size) -> Layout:
    """Return the layout of VideoMAE-v2, fine-tuned, with its own names. The head of classes is not read."""
    shapes = _patches(size)
    for i in range(size.depth):
        shapes |= _block(f"blocks.{i}", size)
        del shapes[f"blocks.{i}.attn.qkv.bias"]
        shapes |= {f"blocks.{i}.attn.{name}": (size.width,) for name in ("q_bias", "v_bias")}
    shapes |= _norm("fc_norm", size.width)
    return Layout("VideoMAE-v2 ViT-g/14", shapes, unused=("head.",), never_zero=("q_bias", "v_bias"))


def vjepa(size: Size) -> Layout:
    """Return the layout of V-JEPA's encoder."""
    tokens = size.grid**2 * (size.frames // size.tubelet)
    shapes = {"pos_embed": (1, tokens, size.width)} | _patches(size)
    for i in range(size.depth):
        shapes |= _block(f"blocks.{i}", size)
    return Layout("the encoder of V-JEPA ViT-H/16", shapes | _norm("norm", size.width), ("module.", "backbone."))


def vjepa_probe(size: Size) -> Layout:
    """Return the layout of V-JEPA's attentive pooler. The layer of classes behind it is not read."""
    width, block = size.width, "cross_attention_block"
    shapes: Shapes = {"query_tokens": (1, 1, width)}
    shapes |= _norm(f"{block}.norm1", width) | _linear(f"{block}.xattn.q", width, width)
    shapes |= _linear(f"{block}.xattn.kv", width, 2 * width) | _linear(f"{block}.xattn.proj", width, width)
    shapes |= _norm(f"{block}.norm2", width)
    shapes |= _linear(f"{block}.mlp.fc1", width, 4 * width) | _linear(f"{block}.mlp.fc2", 4 * width, width)
    return Layout("the attentive probe of V-JEPA ViT-H/16", shapes, ("module.", "pooler."), unused=("linear.",))


def vjepa2(size: Size) -> Layout:
    """Return the layout of V-JEPA 2's encoder, with the names of transformers. The predictor is not read."""
    shapes: Shapes = {
        "encoder.embeddings.patch_embeddings.proj.weight": size.kernel,
        "encoder.embeddings.patch_embeddings.proj.bias": (size.width,),
    }
    for i in range(size.depth):
        block = f"encoder.layer.{i}"
        for name in ("query", "key", "value", "proj"):
            shapes |= _linear(f"{block}.attention.{name}", size.width, size.width)
        shapes |= _norm(f"{block}.norm1", size.width) | _norm(f"{block}.norm2", size.width)
        shapes |= _linear(f"{block}.mlp.fc1", size.width, size.hidden)
        shapes |= _linear(f"{block}.mlp.fc2", size.hidden, size.width)
    shapes |= _norm("encoder.layernorm", size.width)
    return Layout("V-JEPA 2 ViT-L/16", shapes, unused=("predictor.",))


def dinov2(size: Size) -> Layout:
    """Return the layout of DINOv2 without registers, with its own names. transformers' names are translated."""
    shapes: Shapes = {"cls_token": (1, 1, size.width), "pos_embed": (1, 1 + size.grid**2, size.width)}
    shapes |= _patches(size)
    for i in range(size.depth):
        shapes |= _block(f"blocks.{i}", size)
        shapes |= {f"blocks.{i}.ls{k}.gamma": (size.width,) for k in (1, 2)}
    unused = ("mask_token", "embeddings.mask_token")
    return Layout("DINOv2 ViT-L/14", shapes | _norm("norm", size.width), ("dinov2.",), unused, _dinov2_of_transformers)


def clip(size: Size, dim: int, what: str) -> Layout:
    """Return the layout of CLIP's image tower, with the names of transformers. The text tower is not read."""
    tower = "vision_model"
    shapes: Shapes = {
        f"{tower}.embeddings.class_embedding": (size.width,),
        f"{tower}.embeddings.patch_embedding.weight": size.kernel,
        f"{tower}.embeddings.position_embedding.weight": (1 + size.grid**2, size.width),
        "visual_projection.weight": (dim, size.width),
    }
    shapes |= _norm(f"{tower}.pre_layrnorm", size.width) | _norm(f"{tower}.post_layernorm", size.width)
    for i in range(size.depth):
        block = f"{tower}.encoder.layers.{i}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{block}.self_attn.{name}", size.width, size.width)
        shapes |= _norm(f"{block}.layer_norm1", size.width) | _norm(f"{block}.layer_norm2", size.width)
        shapes |= _linear(f"{block}.mlp.fc1", size.width, size.hidden)
        shapes |= _linear(f"{block}.mlp.fc2", size.hidden, size.width)
    unused = ("text_model.", "text_projection.", "logit_scale", f"{tower}.embeddings.position_ids")
    return Layout(what, shapes, unused=unused)


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _patches(size: Size) -> Shapes:
    return {"patch_embed.proj.weight": size.kernel, "patch_embed.proj.bias": (size.width,)}


def _block(name: str, size: Size) -> Shapes:
    """Return the tensors of a block, with the names that timm gave them first."""
    width, hidden = size.width, size.hidden
    return (
        _norm(f"{name}.norm1", width)
        | _linear(f"{name}.attn.qkv", width, 3 * width)
        | _linear(f"{name}.attn.proj", width, width)
        | _norm(f"{name}.norm2", width)
        | _linear(f"{name}.mlp.fc1", width, hidden)
        | _linear(f"{name}.mlp.fc2", hidden, width)
    )


def _biases_of_later_files(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the biases of attentions as the published files do, where transformers 5 has saved them."""
    later = {"attention.query.bias": "attention.q_bias", "attention.value.bias": "attention.v_bias"}
    renamed = {}
    for name, tensor in tensors.items():
        ending = next((ending for ending in later if name.endswith(ending)), "")
        renamed[name.removesuffix(ending) + later[ending] if ending else name] = tensor
    return renamed


_DINOV2_NAMES = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "encoder.layer": "blocks",
    "attention.output.dense": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "layernorm": "norm",
}


def _dinov2_of_transformers(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name tensors as DINOv2 does, with query, key and value in one, where they have transformers' names."""
    renamed: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        for theirs, ours in _DINOV2_NAMES.items():
            name = name.replace(theirs, ours)
        renamed[name] = tensor
    for name in [name for name in renamed if ".attention.attention.query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in renamed for part in parts):
            joined = np.concatenate([renamed.pop(part) for part in parts])
            renamed[name.replace("attention.attention.query", "attn.qkv")] = joined
    return renamed
