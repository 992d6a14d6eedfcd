"""What StyleGAN-V with a part replaced keeps of it: all settings and presets, but for those of single images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylegan_v.baselines.mocogan_sg2 import MoCoGANSG2Config
from stylegan_v.errors import ConfigError
from stylegan_v.methods.stylegan_v import StyleGANV
from stylegan_v.networks.config import ModelConfig

_SHARED = ("resolution", "z_dim", "w_dim", "noise_dim", "channel_max", "std_group", "max_frames")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    name: values for name, values in StyleGANV.presets.items() if name != "image"
}
"""Those of StyleGAN-V that have motion."""


def check_motion(config: ModelConfig) -> None:
    """Raise ConfigError for a model without motion codes."""
    if config.v_dim == 0:
        raise ConfigError(f"v_dim = 0: {config.method} has motion, so it is 1 or more")


def mocogan_sg2(config: ModelConfig, *, clip_width: int = 64) -> MoCoGANSG2Config:
    """Return what MoCoGAN+SG2 of the same widths is, to take a part of it. Raises ConfigError where there is none."""
    check_motion(config)
    if config.num_classes:
        raise ConfigError(f"num_classes = {config.num_classes}: {config.method} has no labels, so it is 0")
    if config.resolution not in MoCoGANSG2Config.resolutions:
        allowed = ", ".join(map(str, MoCoGANSG2Config.resolutions))
        raise ConfigError(
            f"{config.method} has no networks for resolution = {config.resolution}: allowed are {allowed}"
        )
    sizes = {name: getattr(config, name) for name in _SHARED}
    if config.channel_base:  # 0 is the default of either
        sizes["channel_base"] = config.channel_base
    return MoCoGANSG2Config(motion_dim=config.v_dim, clip_width=clip_width, **sizes)
