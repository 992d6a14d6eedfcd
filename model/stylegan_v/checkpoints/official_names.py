"""The official networks' parameter names and ours, at any resolution, number of frames and number of classes.

A # stands for a number that is the same on both sides: a layer, or the resolution of a block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

GENERATOR = (
    ("mapping.embed.", "mapping.embed."),
    ("mapping.layers.#.", "mapping.fc#."),
    ("mapping.w_mean", "mapping.w_avg"),
    ("motion.mapping.convs.#.", "synthesis.motion_encoder.conv.#."),
    ("motion.encoding.periods.", "synthesis.motion_encoder.time_encoder.periods_predictor."),
    ("motion.encoding.phases.", "synthesis.motion_encoder.time_encoder.phase_predictor."),
    ("motion.encoding.aligners.", "synthesis.motion_encoder.time_encoder.aligners_predictor."),
    ("synthesis.first.const", "synthesis.b4.input.input.const"),
    ("synthesis.first.conv1.", "synthesis.b4.conv1."),
    ("synthesis.first.to_rgb.", "synthesis.b4.torgb."),
    ("synthesis.blocks.#.conv0.", "synthesis.b#.conv0."),
    ("synthesis.blocks.#.conv1.", "synthesis.b#.conv1."),
    ("synthesis.blocks.#.to_rgb.", "synthesis.b#.torgb."),
)
"""(our, official) beginnings of names in the generator."""

DISCRIMINATOR = (
    ("time.table", "time_encoder.const_embed.weight"),
    ("conditioning.embed.", "mapping.embed."),
    ("conditioning.layers.#.", "mapping.fc#."),
    ("blocks.#.from_rgb.", "b#.fromrgb."),
    ("blocks.#.conv0.", "b#.conv0."),
    ("blocks.#.conv1.", "b#.conv1."),
    ("blocks.#.skip.", "b#.skip."),
    ("head.conv.", "b4.conv."),
    ("head.fc.", "b4.fc."),
    ("head.out.", "b4.out."),
)
"""(our, official) beginnings of names in the discriminator."""

IGNORED = re.compile(r"(.*\.)?(resample_filter|freqs|phase_scales|fourier_coefs|num_batches_tracked)")
"""Official tensors that are constants of the architecture."""


def official_name(ours: str, table: Sequence[tuple[str, str]]) -> str:
    """Return the official name of one of our parameters or buffers."""
    for mine, official in table:
        if found := re.match(re.escape(mine).replace(r"\#", r"(\d+)"), ours):
            number = found[1] if found.groups() else ""
            return official.replace("#", number) + ours[found.end() :]
    raise KeyError(ours)


def official_names(network: nn.Module, table: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return official name -> our name, for everything that a network stores."""
    return {official_name(name, table): name for name in network.state_dict()}
