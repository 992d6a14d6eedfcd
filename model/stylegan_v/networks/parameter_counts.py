"""How many parameters the networks of a model have, in all and in each part. Buffers are not counted."""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator

_PARTS = {
    "mapping": "mapping",
    "motion": "motion",
    "synthesis.first": "b4",
    "time.table": "time_table",
    "time.mlp": "time_mlp",
    "conditioning": "mapping",
    "head": "b4",
}
"""Our modules -> the names of the official networks, which have no time_mlp. Blocks are b8, b16, … in both."""


def generator_parameters(config: ModelConfig) -> dict[str, int]:
    """Count `total`, and the parts `mapping`, `motion` where there is any, and `b4`, `b8`, … up to the resolution."""
    with torch.device("meta"):
        return _count(Generator(config))


def discriminator_parameters(config: ModelConfig) -> dict[str, int]:
    """Count `total`, `time_table` or `time_mlp` and `mapping` where there are any, and the blocks down to `b4`."""
    with torch.device("meta"):
        return _count(Discriminator(config))


def _count(network: nn.Module) -> dict[str, int]:
    """Count parameters. Networks on the meta device have shapes but no memory, so counting large ones is quick."""
    counts: Counter[str] = Counter()
    for name, parameter in network.named_parameters():
        counts["total"] += parameter.numel()
        counts[_part(name)] += parameter.numel()
    return dict(counts)


def _part(name: str) -> str:
    for module, part in _PARTS.items():
        if name == module or name.startswith(f"{module}."):
            return part
    resolution = name.removeprefix("synthesis.").removeprefix("blocks.").partition(".")[0]
    assert resolution.isdecimal(), name
    return f"b{resolution}"
