"""What may differ between runs without changing what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fvd_bench.errors import FvdBenchError
from fvd_bench.paths import PathLike, home, user_path


def default_cache() -> Path:
    """The folder of the feature store, unless another is named."""
    return home() / "features"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may differ between runs without changing what is measured.

    device: `auto` takes CUDA where there is some. workers: decoding threads, None for one per processor.
    cache: folder of the feature store, None to keep features for the run only.
    weights: name of a set of weights -> file to read it from, in place of the store. Paths may begin with ~.
    strict: a video that has to be skipped is an error. motion: also score the real videos against themselves with
    their frames shuffled, frozen and reversed, as a scale for what a score says about motion. distributed: split the
    videos over the processes of the torch.distributed run; all of them have to make the same call. group_by: which
    videos were not drawn by themselves, such as windows of one video, see `dependence.groups`: these count as one in
    interval, floor, value at infinity and gate. No score depends on it.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int | None = None
    cache: PathLike | None = field(default_factory=default_cache)
    weights: Mapping[str, PathLike] = field(default_factory=dict)
    strict: bool = False
    motion: bool = False
    distributed: bool = False
    group_by: str | None = None

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise FvdBenchError(f"device = {self.device!r}: allowed are auto, cpu, cuda")
        if self.workers is not None and self.workers < 1:
            raise FvdBenchError(f"workers = {self.workers}: expected at least 1")
        if self.cache is not None:
            object.__setattr__(self, "cache", user_path(self.cache))
        object.__setattr__(self, "weights", {name: user_path(file) for name, file in self.weights.items()})
