"""StyleGAN-V as a method: its presets, and what a preset trains with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from stylegan_v.methods.method import Method, Stage
from stylegan_v.networks.config import PRESETS, ModelConfig

if TYPE_CHECKING:
    from stylegan_v.networks.video_generator import Config

TINY: Mapping[str, Any] = {
    **dict.fromkeys(("z_dim", "w_dim", "noise_dim", "u_dim", "v_dim", "channel_max", "time_dim"), 8),
    "resolution": 32, "std_group": 2,
}  # fmt: skip
"""As small as it gets, for tests and rehearsals."""

BUDGETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # Hours on a CPU, and small batches as docs/model.md found that they learn there. The ramp of the average is that of
    # Karras et al. 2020. Other presets keep the budget and the settings of the released code, which are days on GPUs.
    "small": {
        "train": {"kimg": 100.0, "batch": 8, "r1_gamma": 1.0, "ema_kimg": 2.0, "ema_rampup": 0.05, "ada_kimg": 20.0},
        "report": {"tick_kimg": 1.0, "snapshot_kimg": 10.0, "fvd_kimg": 20.0, "fvd_videos": 256},
    },
}


class StyleGANV(Method):
    """The paper's own method. Its trainer loads torch, which a run file can do without."""

    name = "stylegan-v"
    config = ModelConfig
    presets: ClassVar = {**PRESETS, "tiny": TINY}
    budgets = BUDGETS

    def stages(self) -> tuple[Stage, ...]:
        from stylegan_v.methods.style_trainer import StyleTrainer

        return (Stage(StyleTrainer),)

    def parameters(self, config: Config) -> dict[str, dict[str, int]]:
        from stylegan_v.networks.parameter_counts import discriminator_parameters, generator_parameters

        assert isinstance(config, ModelConfig)
        return {"generator": generator_parameters(config), "discriminator": discriminator_parameters(config)}


METHOD = StyleGANV()
