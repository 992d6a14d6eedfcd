"""MoCoGAN+SG2's generator and StyleGAN-V's discriminator: the row "w/o our G" of the paper's Table 2.

Frames are as sparse as StyleGAN-V's are. The LSTM has a step for each frame, so generated frames are those of whole
times: that of time t is the frame that t lies in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stylegan_v.baselines.mocogan_sg2 import MoCoGANSG2Generator
from stylegan_v.baselines.variant import PRESETS, mocogan_sg2
from stylegan_v.methods.method import Method, Stage
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.methods.stylegan_v import BUDGETS
from stylegan_v.methods.trainer import Makers
from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.discriminator import Discriminator


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutOurGeneratorConfig(ModelConfig):
    """A `ModelConfig` of whose motion only the sizes of noise and of codes have a use: noise_dim and v_dim."""

    method: ClassVar[str] = "without-our-generator"

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        mocogan_sg2(self)


class WithoutOurGeneratorTrainer(StyleTrainer):
    """A step of StyleGAN-V."""

    makes: ClassVar[Makers] = {
        "generator": lambda config: MoCoGANSG2Generator(mocogan_sg2(config)),
        "discriminator": Discriminator,
    }


class WithoutOurGenerator(Method):
    """StyleGAN-V with the generator of MoCoGAN+SG2."""

    name = "without-our-generator"
    config = WithoutOurGeneratorConfig
    presets: ClassVar = PRESETS
    budgets: ClassVar = BUDGETS
    unused_sizes = frozenset({"u_dim", "motion_kernel", "motion_distance", "min_period", "max_period"})

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(WithoutOurGeneratorTrainer),)


METHOD = WithoutOurGenerator()
