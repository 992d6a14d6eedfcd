"""What a training run is: one TOML file of everything that its outcome depends on.

A run starts from a file of its own or from one of those that ship (the paper's five datasets), and options of the
command line change some of its values. The result is kept in the run's folder as run.toml.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from stylegan_v.errors import ConfigError
from stylegan_v.networks.config import ModelConfig, model_config

_LARGEST_SEED = 2**56
"""noise.py tells apart the seeds below this."""

_OF_THE_DATA = ("resolution", "frames", "num_classes")
"""The values of a model that come from its videos, whatever its preset."""

_BUDGETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # Hours on a CPU, and small batches as docs/model.md found that they learn there. Other presets keep the budget and
    # the settings of the released code, which are days on several GPUs.
    "small": {
        "train": {"kimg": 100.0, "batch": 8, "r1_gamma": 1.0, "ema_kimg": 2.0, "ada_kimg": 20.0},
        "report": {"tick_kimg": 1.0, "snapshot_kimg": 10.0, "fvd_kimg": 20.0, "fvd_videos": 256},
    },
}
"""What a preset trains with, where neither a file nor an option says otherwise."""

Precision = Literal["auto", "float32", "float16", "bfloat16"]
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
class TrainRun:
    """How networks learn. The defaults are those of the released code; `small` has a budget of its own, see `_BUDGETS`.

    kimg: thousands of frames to train on. batch: videos per step over all processes.
    micro_batch: videos at a time in one process, 0 for all of its share.
    learning_rate: 0 for 0.0025, or 0.002 from 1024² on. r1_gamma: 0 for 0.0002 · resolution² / batch.
    r1_interval: steps between R1 penalties.
    lazy_interval: steps between penalties of the generator's regulariser, of which only the factor on the learning rate
    is left.
    ema_kimg: thousands of videos in which the average of the generator forgets half.
    ema_rampup: upper limit of that, as a share of the frames seen; 0 for no limit.
    ada: whether to augment. ada_target: mean sign of real logits that it aims at. ada_kimg: thousands of videos in
    which its probability can move by 1.
    precision: type of the blocks of high resolution; auto is float16 on a GPU and float32 elsewhere.
    tf32: let a GPU round the factors of products in float32 to 10 bits, as StyleGAN2-ADA can and by default does not.
    compile: let torch compile what needs no second derivative. cuda_graphs: record a step on a GPU, and replay it.
    """

    kimg: float = 25000.0
    batch: int = 64
    micro_batch: int = 0
    learning_rate: float = 0.0
    r1_gamma: float = 0.0
    r1_interval: int = 16
    lazy_interval: int = 4
    ema_kimg: float = 20.0
    ema_rampup: float = 0.0
    ada: bool = True
    ada_target: float = 0.6
    ada_kimg: float = 100.0
    seed: int = 0
    precision: Precision = "auto"
    tf32: bool = False
    compile: bool = False
    cuda_graphs: bool = False


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
    """A training run."""

    model: ModelConfig
    data: DataRun = field(default_factory=DataRun)
    train: TrainRun = field(default_factory=TrainRun)
    report: ReportRun = field(default_factory=ReportRun)

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
            if not 0 < value < math.inf:
                raise ConfigError(f"{name} = {value}: expected a number above 0")
        for name in ("micro_batch", "seed", "r1_gamma", "learning_rate", "ema_rampup"):
            if not 0 <= getattr(train, name) < _LARGEST_SEED:
                raise ConfigError(f"train.{name} = {getattr(train, name)}: expected 0 or more, below 2^56")
        if not 0 <= report.fvd_kimg < math.inf:
            raise ConfigError(f"report.fvd_kimg = {report.fvd_kimg}: expected 0 or more")
        if train.precision not in ("auto", "float32", "float16", "bfloat16"):
            raise ConfigError(f"train.precision = {train.precision!r}: allowed are auto, float32, float16, bfloat16")
        if self.data.preload not in ("auto", "always", "never"):
            raise ConfigError(f"data.preload = {self.data.preload!r}: allowed are auto, always, never")

    @property
    def kimg_per_step(self) -> float:
        """Thousands of real frames in a step."""
        return self.train.batch * self.model.frames / 1000

    @property
    def total_steps(self) -> int:
        """The number of steps until the end."""
        return self.steps_in(self.train.kimg)

    def steps_in(self, kimg: float) -> int:
        """Return the number of steps in that many thousand frames, to the nearest step, and 1 at least."""
        return max(1, round(kimg / self.kimg_per_step))

    @property
    def gamma(self) -> float:
        """The weight of R1: 0.2048 for 64 videos of 256²."""
        return self.train.r1_gamma or 0.0002 * self.model.resolution**2 / self.train.batch

    @property
    def learning_rate(self) -> float:
        """The learning rate of both networks, before the factors of lazy regularisation."""
        return self.train.learning_rate or (0.002 if self.model.resolution >= 1024 else 0.0025)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: the sections of the file."""
        sections = {name: dataclasses.asdict(getattr(self, name)) for name in ("data", "train", "report")}
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


def load_run(name_or_path: str | None, changes: Mapping[str, Mapping[str, Any]]) -> Run:
    """Return a run by name or by path; None stands for the defaults.

    changes: values of its sections that replace others.

    Raises ConfigError for files that cannot be read, and for keys and values that do not exist.
    """
    sections: dict[str, dict[str, Any]] = {}
    if name_or_path is not None:
        sections = _read(name_or_path)
    model = sections.get("model", {})
    if changes.get("model", {}).get("preset") not in (None, model.get("preset")):
        # The other values of the file belong to the preset that is replaced.
        sections["model"] = {name: value for name, value in model.items() if name in _OF_THE_DATA}
    for section, values in changes.items():
        sections[section] = {**sections.get(section, {}), **values}
    if unknown := sections.keys() - {"model", "data", "train", "report"}:
        raise ConfigError(f"a run has no section {min(unknown)!r}; its sections are model, data, train, report")
    model = sections.get("model", {})
    for section, values in _BUDGETS.get(str(model.get("preset")), {}).items():
        sections[section] = {**values, **sections.get(section, {})}
    return Run(
        model=model_config(model.get("preset", "release"), **{k: v for k, v in model.items() if k != "preset"}),
        data=_section(DataRun, "data", sections),
        train=_section(TrainRun, "train", sections),
        report=_section(ReportRun, "report", sections),
    )


def _read(name_or_path: str) -> dict[str, dict[str, Any]]:
    try:
        if name_or_path in shipped_runs():
            text = (resources.files("stylegan_v") / "runs" / f"{name_or_path}.toml").read_text("utf-8")
        else:
            text = Path(name_or_path).read_text("utf-8")
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
    fields = {f.name: f.type for f in dataclasses.fields(kind)}
    values = {}
    for key, value in sections.get(name, {}).items():
        if key not in fields:
            raise ConfigError(f"[{name}] has no {key!r}; its keys are {', '.join(fields)}")
        expected = {"float": (int, float), "int": (int,), "bool": (bool,)}.get(str(fields[key]), (str,))
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            raise ConfigError(f"{name}.{key} = {value!r}: expected a value of type {expected[-1].__name__}")
        values[key] = float(value) if fields[key] == "float" else value
    return kind(**values)  # type: ignore[arg-type]  # checked above, field by field


def _toml(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)
