"""CLIP (Radford et al. 2021): how well images go with a text. Its networks are open_clip's, its weights the user's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fvd_bench.packages import needed_for
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.studies.weights import read_weights

USUAL = "ViT-B-32-quickgelu"
"""Of StyleCLIP and of the paper: OpenAI's ViT-B/32, as open_clip calls it."""

Score = Callable[[Tensor], Tensor]
"""A function from images [N, 3, R, R] in [-1, 1] to their cosine similarities with a text, [N]."""


def check_package() -> None:
    """Raise ModelError where open_clip is not installed."""
    with needed_for("edits by text", "open_clip_torch", raising=ModelError):
        import open_clip  # noqa: F401


def text_score(text: str, weights: Path, model: str, device: str | torch.device) -> Score:
    """Return what says how well images go with a text.

    weights: a .safetensors file or a state dict of open_clip. model: open_clip's name of the network that they are of.
    Nothing is fetched. Raises ModelError where open_clip is not installed, ConfigError for a model that it cannot make
    by itself, and CheckpointError for weights of another one.
    """
    check_package()
    import open_clip

    network = _network(model)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict(read_weights(weights, f"the weights of open_clip's {model}", shapes))
    network.to(device).eval().requires_grad_(False)
    tokens = open_clip.SimpleTokenizer(context_length=network.context_length)([text]).to(device)
    wanted = network.encode_text(tokens, normalize=True)[0]
    mean, deviation = (
        torch.tensor(values, device=device)[:, None, None]
        for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    size = network.visual.image_size

    def score(images: Tensor) -> Tensor:
        seen = functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        features = network.encode_image(((seen + 1) / 2 - mean) / deviation, normalize=True)
        similarity: Tensor = features @ wanted
        return similarity

    return score


def settings_of(model: str) -> dict[str, Any]:
    """Return what open_clip makes a model of. Raises ConfigError where there is none, or one with parts of others."""
    import open_clip

    config = None if ":" in model else open_clip.get_model_config(model)  # a colon stands for a place elsewhere
    if config is None:
        raise ConfigError(f"open_clip has no model {model!r}: its names are those of open_clip.list_models()")
    towers = {*config["vision_cfg"], *config["text_cfg"]}
    if towers & {"timm_model_name", "hf_model_name", "hf_tokenizer_name"} or "custom_text" in config:
        raise ConfigError(f"{model} has parts that are not open_clip's own: take a plain one, such as {USUAL}")
    return dict(config)


def _network(model: str) -> Any:  # open_clip has no types
    """Make one of open_clip's networks, with random weights. Raises ConfigError."""
    import open_clip

    config = settings_of(model)
    with torch.random.fork_rng(devices=[]):
        return open_clip.CLIP(**config)
