"""What may differ between runs without changing what is measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from fvd_bench.errors import ArgumentError
from fvd_bench.paths import PathLike, home, user_path

Device = Literal["auto", "cpu", "cuda", "mps", "openvino"]
"""Where networks run: the processor, an NVIDIA GPU, the GPU of a Mac, or the processor by OpenVINO in place of torch.
`auto` uses CUDA where there is a CUDA device, and else the processor."""

DEVICES: tuple[str, ...] = get_args(Device)

Engine = Literal["local", "ray"]
"""What computes features: this process, with those that torchrun started beside it, or the machines of a Ray
cluster."""

ENGINES: tuple[str, ...] = get_args(Engine)

MOST_WINDOWS = 1000
"""The most windows of a run. Each is a protocol of its own, which takes time even where no video reaches it."""

MOST_REPEATS = 10**6
"""The most draws that a score is averaged over. Each is held in memory with its seed, whatever the videos are."""


def default_cache() -> Path:
    """Return the folder of the feature store that is used unless another is named."""
    return home() / "features"


def is_offline() -> bool:
    """Return whether the environment variable FVD_BENCH_OFFLINE forbids the network."""
    return os.environ.get("FVD_BENCH_OFFLINE", "") not in ("", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may differ between runs without changing what is measured.

    device: where networks run.
    workers: number of decoding threads. None for one per processor.
    cache: folder of the feature store. None to keep features for the run only.
    weights: for names of sets of weights, a file to read instead of the store. Paths may begin with ~.
    strict: whether a video that has to be skipped is an error.
    motion: whether to score also the real videos against themselves with their frames shuffled, frozen and reversed, as
        a scale for what a score says about motion.
    windows: number of windows of the fake videos to score besides, at most MOST_WINDOWS, each as long as a clip, from
        the first frame on; see `protocols.windows`.
    distributed: whether to split the videos over the processes of the torch.distributed run, all of which have to make
        the same call.
    engine: what computes features.
    parquet: with the engine `ray`, the folder or address where features are written, which all machines see. None for
        the folder `parquet` beside the feature store.
    group_by: how to find videos that were not drawn independently, such as windows of one video, see
        `dependence.groups`. Those of one group count as one in interval, floor, value at infinity and gate. No score
        depends on it.
    classes: how to find the class of each video, in the same words as `group_by`. Each class is then also scored by
        itself.
    onlooker: called with the `Collection` and the `Result` of each evaluation while its videos can still be read, for
        what shows them. None for nobody.
    """

    device: Device = "auto"
    workers: int | None = None
    cache: PathLike | None = field(default_factory=default_cache)
    weights: Mapping[str, PathLike] = field(default_factory=dict)
    strict: bool = False
    motion: bool = False
    windows: int = 0
    distributed: bool = False
    engine: Engine = "local"
    parquet: str | None = None
    group_by: str | None = None
    classes: str | None = None
    onlooker: Callable[[Any, Any], None] | None = None  # of classes of a later room

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ArgumentError(f"device = {self.device!r}: allowed are {', '.join(DEVICES)}")
        if self.engine not in ENGINES:
            raise ArgumentError(f"engine = {self.engine!r}: allowed are {', '.join(ENGINES)}")
        if self.parquet is not None and self.engine != "ray":
            raise ArgumentError("a folder for Parquet files is named, which only the engine ray writes")
        if self.engine == "ray" and self.parquet is None and self.cache is None:
            raise ArgumentError(
                "the engine ray writes features where all machines see them: name that folder or address (--parquet), "
                "or keep a feature store (--cache)"
            )
        if self.workers is not None and self.workers < 1:
            raise ArgumentError(f"workers = {self.workers}: expected at least 1")
        if not 0 <= self.windows <= MOST_WINDOWS:
            raise ArgumentError(f"windows = {self.windows}: expected a number of windows, 0 to {MOST_WINDOWS}")
        if self.cache is not None:
            object.__setattr__(self, "cache", user_path(self.cache))
        object.__setattr__(self, "weights", {name: user_path(file) for name, file in self.weights.items()})
