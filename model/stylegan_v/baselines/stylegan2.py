"""Image StyleGAN2: single frames without motion, what the price and the image quality of a video method are held to.

It is the backbone of StyleGAN-V as the released code builds on it: no noise inputs, style mixing or path length
regularisation, and a discriminator all of whose layers have their full width. Each batch holds one frame of each video,
so that long videos weigh no more than short ones. Every frame of one of its videos is the same image.

Source: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" and "Training generative adversarial
networks with limited data".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stylegan_v.errors import ConfigError
from stylegan_v.methods.method import Stage
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.methods.stylegan_v import BUDGETS, StyleGANV
from stylegan_v.networks.config import PRESETS, ModelConfig

_IMAGE = PRESETS["image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig(ModelConfig):
    """A `ModelConfig` without motion."""

    method: ClassVar[str] = "stylegan2"

    def __post_init__(self) -> None:
        if (self.frames, self.v_dim) != (1, 0):
            raise ConfigError(
                f"frames = {self.frames}, v_dim = {self.v_dim}: stylegan2 has no motion, so they are 1 and 0"
            )
        ModelConfig.__post_init__(self)


class StyleGAN2(StyleGANV):
    """Image StyleGAN2, trained as StyleGAN-V is, with the same networks less those of motion and of time."""

    name = "stylegan2"
    config = ImageConfig
    presets: ClassVar = {
        "paper": _IMAGE,
        "small": {**PRESETS["small"], **_IMAGE, "resolution": 64},
        "tiny": {**_IMAGE, "resolution": 32, "z_dim": 8, "w_dim": 8, "channel_max": 8, "std_group": 2},
    }
    budgets: ClassVar = {"small": BUDGETS["small"]}
    unused = frozenset({"mismatched_weight"})
    unused_sizes = frozenset({
        "noise_dim", "u_dim", "motion_kernel", "motion_distance", "encoding", "min_period", "max_period", "time_dim",
        "spans", "max_span",
    })  # fmt: skip

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(StyleTrainer),)


METHOD = StyleGAN2()
