"""What a training run is: one TOML file of everything that its outcome depends on.

A run starts from a file of its own or from one of those that ship (the paper's five datasets), and options of the
command line change some of its values. The result is kept in the run's folder as run.toml.
"""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from fvd_bench.paths import read_text
from stylegan_v.baselines import registry
from stylegan_v.errors import ConfigError
from stylegan_v.methods.method import Method
from stylegan_v.methods.settings import TrainRun
from stylegan_v.networks.config import read_config

if TYPE_CHECKING:
    from stylegan_v.networks.video_generator import Config

_LARGEST_SEED = 2**56
"""noise.py tells apart the seeds below this."""

_LARGEST_COUNT = 1e15
"""A run never gets so far, and its numbers of frames are exact below this."""

_OF_THE_DATA = ("method", "resolution", "frames", "num_classes")
"""The values of a model that come from its videos, whatever its preset, and its method."""

_OF_THE_MOTION = ("motion_distance", "min_period")
"""What a file that names no preset says of the motion in its videos, whatever the method: that of clouds is slow."""

Preload = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRun:
    """The videos of a run.

    path: folder or archive of videos. fps: their frames per second, for what is generated.
    mirror: whether to add all videos mirrored.
    preload: whether all frames are read once and kept, as bytes, on the device that trains: `always`, `never`, or
    `auto`, which keeps them if they take at most a quarter of a GPU's memory, or 1 GiB of a CPU's.
    """

    path: str = ""
    fps: float = 25.0
    mirror: bool = False
    preload: Preload = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRun:
    """What is written on the way.

    tick_kimg: thousands of frames between lines of the log.
    snapshot_kimg: thousands of frames between checkpoints, which come with samples.
    fvd_kimg: thousands of frames between scores, 0 for no scores. fvd_videos: generated videos per score.
    protocol: the protocol of the scores.
    """

    tick_kimg: float = 5.0
    snapshot_kimg: float = 200.0
    fvd_kimg: float = 1000.0
    fvd_videos: int = 2048
    protocol: str = "stylegan-v-fvd16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A training run. model: the config of a method. stage: the one that is trained now, empty for the first.

    The stage is no setting: a run goes through all of them, and numbers of steps and frames are those of one.
    """

    model: Config
    data: DataRun = field(default_factory=DataRun)
    train: TrainRun = field(default_factory=TrainRun)
    report: ReportRun = field(default_factory=ReportRun)
    stage: str = ""

    def __post_init__(self) -> None:
        train, report = self.train, self.report
        positive = {
            "train.kimg": train.kimg, "train.batch": train.batch, "train.r1_interval": train.r1_interval,
            "train.lazy_interval": train.lazy_interval,
            "train.ema_kimg": train.ema_kimg, "train.ada_kimg": train.ada_kimg, "data.fps": self.data.fps,
            "report.tick_kimg": report.tick_kimg, "report.snapshot_kimg": report.snapshot_kimg,
            "report.fvd_videos": report.fvd_videos,
        }  # fmt: skip
        for name, value in positive.items():
            if not 0 < value < _LARGEST_COUNT:
                raise ConfigError(f"{name} = {value}: expected a number above 0, below 10^15")
        for name in (
            "micro_batch", "seed", "r1_gamma", "learning_rate", "ema_rampup", "discriminator_kimg", "mismatched_weight"
        ):  # fmt: skip
            if not 0 <= getattr(train, name) < _LARGEST_SEED:
                raise ConfigError(f"train.{name} = {getattr(train, name)}: expected 0 or more, below 2^56")
        if not 0 <= report.fvd_kimg < math.inf:
            raise ConfigError(f"report.fvd_kimg = {report.fvd_kimg}: expected 0 or more")
        if not -1 <= train.ada_target <= 1:
            raise ConfigError(f"train.ada_target = {train.ada_target}: expected a mean of signs, from -1 to 1")
        if train.precision not in ("auto", "float32", "float16", "bfloat16"):
            raise ConfigError(f"train.precision = {train.precision!r}: allowed are auto, float32, float16, bfloat16")
        for name, path in {"data.path": self.data.path, "report.protocol": report.protocol}.items():
            if any("\ud800" <= character <= "\udfff" for character in path):  # Python's signs for other bytes
                raise ConfigError(f"{name} = {path!r}: a run's file is in UTF-8 and cannot hold it; name a link to it")
        if self.data.preload not in ("auto", "always", "never"):
            raise ConfigError(f"data.preload = {self.data.preload!r}: allowed are auto, always, never")

    @property
    def method(self) -> Method:
        """The method whose networks are trained."""
        return registry.method(self.model.method)

    @property
    def frames(self) -> int:
        """The number of frames of a clip."""
        return self.method.stage(self.stage).trainer.clips(self.model).frames

    @property
    def kimg_per_step(self) -> float:
        """Thousands of real frames in a step."""
        return self.train.batch * self.frames / 1000

    @property
    def total_steps(self) -> int:
        """The number of steps until the end of the stage."""
        return self.steps_in(self.train.kimg * self.method.stage(self.stage).share)

    @property
    def total_frames(self) -> int:
        """The number of real frames in all steps of all stages."""
        stages = [dataclasses.replace(self, stage=stage.name) for stage in self.method.stages()]
        return sum(of_stage.total_steps * self.train.batch * of_stage.frames for of_stage in stages)

    def steps_in(self, kimg: float) -> int:
        """Return the number of steps in that many thousand frames, to the nearest step, and 1 at least."""
        return max(1, round(kimg / self.kimg_per_step))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: the sections of the file."""
        sections = {name: dataclasses.asdict(getattr(self, name)) for name in ("data", "train", "report")}
        for name in self.method.unused:
            del sections["train"][name]
        return {"model": self.model.as_dict(), **sections}

    def to_toml(self) -> str:
        """Return the text of a file that describes this run."""
        lines = []
        for section, values in self.as_dict().items():
            lines += [f"[{section}]", *(f"{name} = {_toml(value)}" for name, value in values.items()), ""]
        return "\n".join(lines)


def shipped_runs() -> list[str]:
    """Return the names of the runs that ship with the package."""
    folder = resources.files("stylegan_v") / "runs"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def load_run(
    name_or_path: str | None,
    changes: Mapping[str, Mapping[str, Any]],
    *,
    unsaid: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Run:
    """Return a run by name or by path; None stands for the defaults.

    changes: values of its sections that replace others. unsaid: those that hold where neither the file nor the changes
    have others.

    Raises ConfigError for files that cannot be read, and for keys and values that do not exist.
    """
    file = {} if name_or_path is None else _read(name_or_path)
    sections = _beneath(file, changes.get("model", {}))
    for section, values in changes.items():
        sections[section] = {**sections.get(section, {}), **values}
    if unknown := sections.keys() - {"model", "data", "train", "report"}:
        raise ConfigError(f"a run has no section {min(unknown)!r}; its sections are model, data, train, report")
    model = dict(sections["model"])
    method = registry.method(model.pop("method", registry.DEFAULT))
    if needless := sorted(method.unused & sections.get("train", {}).keys()):
        raise ConfigError(f"{method.name} has no use for train.{needless[0]}: leave it out")
    preset = model.pop("preset", next(iter(method.presets)))
    own = method.configure(preset)
    if needless := sorted(name for name in method.unused_sizes & model.keys() if model[name] != getattr(own, name)):
        raise ConfigError(f"{method.name} has no use for model.{needless[0]}: leave it out")
    for beneath in (unsaid, method.budgets.get(str(preset), {})):
        for section, values in beneath.items():
            sections[section] = {**values, **sections.get(section, {})}
    return Run(
        model=method.configure(preset, **model),
        data=_section(DataRun, "data", sections),
        train=_section(TrainRun, "train", sections),
        report=_section(ReportRun, "report", sections),
    )


def _beneath(file: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what is left of a file below changes of its model: a preset or method that is replaced takes along what
    belongs to it. What a file says that names no preset, as of those that ship, belongs to its videos.
    """
    model, train = file.get("model", {}), file.get("train", {})
    begun = model.get("method", registry.DEFAULT)
    named = changes.get("method", begun)
    if named != begun:
        method = registry.method(named)
        kept = {"resolution"} if "preset" in model else {"resolution", *_OF_THE_MOTION} - method.unused_sizes
        known = {field.name for field in dataclasses.fields(method.config)}
        model = {name: value for name, value in model.items() if name in kept & known}
        train = {name: value for name, value in train.items() if name not in method.unused}
    elif "preset" in model and changes.get("preset") not in (None, model["preset"]):
        model = {name: value for name, value in model.items() if name in _OF_THE_DATA}
    return {**file, "model": model, "train": train}


def _read(name_or_path: str) -> dict[str, dict[str, Any]]:
    try:
        if name_or_path in shipped_runs():
            text = (resources.files("stylegan_v") / "runs" / f"{name_or_path}.toml").read_text("utf-8")
        else:
            text = read_text(name_or_path)
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{name_or_path} is neither a file that can be read nor a run that ships: {', '.join(shipped_runs())}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name_or_path} is no TOML: {error}") from error
    if loose := [name for name, value in content.items() if not isinstance(value, dict)]:
        raise ConfigError(f"{name_or_path}: {loose[0]} stands outside of the sections model, data, train, report")
    return content


_Section = TypeVar("_Section", DataRun, TrainRun, ReportRun)


def _section(kind: type[_Section], name: str, sections: Mapping[str, Mapping[str, Any]]) -> _Section:
    return read_config(kind, sections.get(name, {}), owner=f"[{name}]", prefix=f"{name}.")


def _toml(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON takes that as it is, TOML does not
