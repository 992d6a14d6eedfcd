"""What a method is: a way to make videos, and to learn it from videos, that all commands take by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stylegan_v.errors import ConfigError
from stylegan_v.networks.config import configured, read_config

if TYPE_CHECKING:
    from stylegan_v.methods.trainer import Makers, Trainer
    from stylegan_v.networks.video_generator import Config


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training of a method, which begins from the networks that the one before left.

    trainer: its networks and steps. name: empty where it is the only one. share: of the frames of a run.
    """

    trainer: type[Trainer]
    name: str = ""
    share: float = 1.0


class Method(ABC):
    """A method: its settings, and the trainers of its stages, which have its networks.

    name: as people type it. config: a frozen dataclass of all sizes and choices, with defaults, see `Config`.
    presets: names of settings that belong together, the default first. budgets: what a preset has in [train] and
    [report] where neither a file nor an option says otherwise. unused: settings of [train] that change nothing here,
    and are refused. unused_sizes: fields of the config of which the same is true, and which are refused where they
    differ from the preset's.
    """

    name: ClassVar[str]
    config: ClassVar[type[Any]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]]
    budgets: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}
    unused: ClassVar[frozenset[str]] = frozenset()
    unused_sizes: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """Return the stages in their order."""

    def stage(self, name: str) -> Stage:
        """Return a stage by name, the first one for an empty name. Raises ConfigError."""
        stages = {stage.name: stage for stage in self.stages()}
        if name and name not in stages:
            known = f"its stages are {', '.join(stages)}" if len(stages) > 1 else "it has one stage, without a name"
            raise ConfigError(f"{self.name} has no stage {name!r}; {known}")
        return stages[name] if name else self.stages()[0]

    def configure(self, preset: str | None = None, **changes: Any) -> Config:
        """Return a preset with some values changed. Raises ConfigError for names and values that do not exist."""
        chosen = next(iter(self.presets)) if preset is None else preset
        found: Config = configured(self.config, self.presets, chosen, changes)
        return found

    def read(self, values: Mapping[str, Any]) -> Config:
        """Return the config of plain values as of `as_dict`, without the method's name. Raises ConfigError."""
        found: Config = read_config(self.config, values)
        return found

    def makers(self) -> Makers:
        """Return what makes the networks: the same in all stages."""
        return self.stages()[0].trainer.makes

    def parameters(self, config: Config) -> dict[str, dict[str, int]]:
        """Count the parameters of each network: in all, `total`, and of each of its parts. Buffers are not counted."""
        import torch

        counts: dict[str, dict[str, int]] = {}
        for network, make in self.makers().items():
            with torch.device("meta"):  # shapes without memory, so that counting large ones is quick
                found = [(name, parameter.numel()) for name, parameter in make(config).named_parameters()]
            parts = dict.fromkeys((name.partition(".")[0] for name, _ in found), 0)
            for name, number in found:
                parts[name.partition(".")[0]] += number
            counts[network] = {"total": sum(parts.values()), **parts}
        return counts
