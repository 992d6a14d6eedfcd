"""Sizes of DIGAN's networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stylegan_v.errors import ConfigError
from stylegan_v.methods.config import MethodConfig
from stylegan_v.networks.config import ModelConfig, image_config


@dataclass(frozen=True, slots=True, kw_only=True)
class DIGANConfig(MethodConfig):
    """Sizes of the networks.

    frames: of a clip, which is a pair. max_frames: frames of the window that pairs come from, of which the first has
    t = 0 and the last t = 1.
    z_dim, w_dim: as in `ModelConfig`. noise_dim: size of the motion code z_m.
    width: channels of the generator up to 64²; each doubling from there on has half as many.
    grid: the resolution of its first blocks, those of 4² and so on in StyleGAN2.
    frequencies: of coordinates, each with a sine and a cosine. rank: of the modulation of a convolution.
    channel_base, channel_max, std_group: of both discriminators, as in `ModelConfig`.
    """

    method: ClassVar[str] = "digan"

    frames: int = 2
    max_frames: int = 16
    z_dim: int = 512
    w_dim: int = 512
    noise_dim: int = 512
    width: int = 512
    grid: int = 32
    frequencies: int = 128
    rank: int = 10
    channel_base: int = 32768
    channel_max: int = 512
    std_group: int = 4

    def __post_init__(self) -> None:
        MethodConfig.__post_init__(self)
        if self.frames != 2:
            raise ConfigError(f"frames = {self.frames}: digan learns from pairs, so it is 2")
        if self.max_frames < 2:
            raise ConfigError(f"max_frames = {self.max_frames}: a pair needs a window of 2 or more")
        if self.grid not in self.image().resolutions:
            allowed = ", ".join(map(str, self.image().resolutions))
            raise ConfigError(f"grid = {self.grid}: allowed are {allowed}")
        if self.channels(self.resolution) < 1:
            raise ConfigError(f"width = {self.width}: no channel is left at {self.resolution}²")

    def image(self) -> ModelConfig:
        """Return the discriminator of frames, and the mapping network, whose frames are single images."""
        return image_config(self)

    def channels(self, resolution: int) -> int:
        """Return the channels of the generator's block of a resolution."""
        return self.width * 64 // max(resolution, 64)
