"""Configs of methods: the base of those that are not made of StyleGAN-V's own."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stylegan_v.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodConfig:
    """The sizes that every method has; each adds its own, with defaults. The fields are as in `Config`.

    resolutions: what a method is built for. classes: no method of this kind has labels, so num_classes is 0.
    """

    method: ClassVar[str]
    resolutions: ClassVar[tuple[int, ...]] = (32, 64, 128, 256)

    preset: str = "paper"
    resolution: int = 64
    frames: int = 16
    num_classes: int = 0

    def __post_init__(self) -> None:
        if self.resolution not in self.resolutions:
            allowed = ", ".join(map(str, self.resolutions))
            raise ConfigError(
                f"{self.method} has no networks for resolution = {self.resolution}: allowed are {allowed}"
            )
        if self.num_classes:
            raise ConfigError(f"num_classes = {self.num_classes}: {self.method} has no labels, so it is 0")
        for name, value in dataclasses.asdict(self).items():
            if type(value) is int and value < 1 and name != "num_classes":
                raise ConfigError(f"{name} = {value}: expected 1 or more")
            if isinstance(value, float) and not 0 <= value < math.inf:
                raise ConfigError(f"{name} = {value}: expected a number from 0 on")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as run files and checkpoints store them."""
        return {"method": self.method, **dataclasses.asdict(self)}
