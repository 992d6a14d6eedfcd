"""StyleGAN-V's generator and MoCoGAN+SG2's two discriminators: the row "w/o our D" of the paper's Table 2.

The discriminator of clips sees 16 frames at equal distances, so clips are those of MoCoGAN+SG2, of consecutive frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stylegan_v.baselines.mocogan_sg2 import MoCoGANSG2Trainer, TwoDiscriminators
from stylegan_v.baselines.variant import PRESETS, mocogan_sg2
from stylegan_v.data.times import ClipRule
from stylegan_v.errors import ConfigError
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers
from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.generator import Generator

_FRAMES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutOurDiscriminatorConfig(ModelConfig):
    """A `ModelConfig` of whose discriminator only the widths of channels have a use.

    clip_width: channels of the discriminator of clips, as in `MoCoGANSG2Config`.
    """

    method: ClassVar[str] = "without-our-discriminator"

    frames: int = _FRAMES
    clip_width: int = 64

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        if self.frames != _FRAMES:
            raise ConfigError(f"frames = {self.frames}: the discriminator of clips of {self.method} sees {_FRAMES}")
        mocogan_sg2(self, clip_width=self.clip_width)


class WithoutOurDiscriminatorTrainer(MoCoGANSG2Trainer):
    """A step of MoCoGAN+SG2."""

    makes: ClassVar[Makers] = {
        "generator": Generator,
        "discriminator": lambda config: TwoDiscriminators(mocogan_sg2(config, clip_width=config.clip_width)),
    }

    @staticmethod
    def clips(model: Any) -> ClipRule:
        """Return consecutive frames. model: a `WithoutOurDiscriminatorConfig`."""
        return ClipRule(frames=model.frames, max_frames=model.max_frames, spans="consecutive")


class WithoutOurDiscriminator(Method):
    """StyleGAN-V with the discriminators of MoCoGAN+SG2."""

    name = "without-our-discriminator"
    config = WithoutOurDiscriminatorConfig
    presets: ClassVar = {
        name: {**values, "clip_width": {"small": 32, "tiny": 8}.get(name, 64)} for name, values in PRESETS.items()
    }
    budgets: ClassVar = {"small": {**BUDGETS["small"], "train": {**BUDGETS["small"]["train"], "batch": 4}}}
    unused = OF_STYLEGAN_V | {"micro_batch"}
    unused_sizes = frozenset({
        "concat_resolution", "frame_divisor", "hyper_modulation", "zero_modulation", "projection", "time_dim", "spans",
        "max_span",
    })  # fmt: skip

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(WithoutOurDiscriminatorTrainer),)


METHOD = WithoutOurDiscriminator()
