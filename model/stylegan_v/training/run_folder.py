"""The folder of a run: whether it can be written, holds no other run, is no part of the training videos, and is trained
in by one process at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvd_bench.atomic import write_text
from fvd_bench.errors import cause
from fvd_bench.paths import user_path
from stylegan_v.checkpoints.files import BEST, LAST
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.folder_lock import locked
from stylegan_v.training.run import Run, load_run

if TYPE_CHECKING:
    from stylegan_v.checkpoints.checkpoint import Checkpoint

SETTINGS = "run.toml"
"""In the folder of a run, the name of the file with its settings."""

LOG = "log.jsonl"
"""The name of the file with its curves, which is empty until something was trained."""

_WITHOUT = {
    LAST: "put a copy of it back to go on, or name another --out to begin anew",
    BEST: "delete it to go on without it, and the next score writes another",
}
"""File of a run -> what to do where it cannot be read."""

FREE_TO_CHANGE = {
    "data": {"path", "preload"},
    "train": {"kimg", "micro_batch", "tf32", "compile", "cuda_graphs"},
    "report": {"tick_kimg", "snapshot_kimg", "fvd_kimg", "fvd_videos", "protocol"},
}
"""Settings in which a run may differ from how it began. They change no step, or only its rounding; but where a method
lowers its learning rate towards the end, as VideoGPT does, another `kimg` changes that of the steps to come."""


def check(out: Path, run: Run) -> None:
    """Check that the folder of a run can be written and holds no other run, and that no other process trains in it.

    Nothing is written. Raises ConfigError, naming what differs.
    """
    data, place = user_path(run.data.path), out.resolve()
    if data.is_dir() and data.resolve() in (place, *place.parents):
        raise ConfigError(
            f"{out} lies in {run.data.path}, where samples of the run would count among the real videos: name an --out "
            "apart from the data"
        )
    file = out / SETTINGS
    if file.exists() and (out / LAST).exists():  # without a checkpoint nothing has been trained yet
        before = load_run(str(file), {})
        if (of := before.model.method) != (named := run.model.method):
            raise ConfigError(f"{out} holds a run of {of}, now it is one of {named}; name another --out")
        began, now = _settings(before), _settings(run)
        for section, values in now.items():
            for name, value in values.items():
                free = name in FREE_TO_CHANGE.get(section, ()) or (
                    name == "precision" and began[section][name] == "auto"
                )
                if began[section][name] != value and not free:
                    raise ConfigError(
                        f"{out} holds a run with {section}.{name} = {began[section][name]!r}, now it is {value!r}; "
                        "name another --out, or give the settings that the run began with"
                    )
    if not (out / LAST).exists() and (left := [name for name in (BEST, LOG) if _holds_something(out / name)]):
        raise ConfigError(
            f"{out} holds {' and '.join(left)} of a training, and no {LAST} from which it could go on: put that back, "
            "or name another --out to begin anew"
        )
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        reason = "no folder" if not there.is_dir() else "not writable"
        raise ConfigError(f"{out} cannot be written: {there} is {reason}")
    if there == out:
        with held(out):
            pass


def held(out: Path) -> contextlib.AbstractContextManager[bool]:
    """Hold the folder of a run, which is there, for this process. Raises ConfigError where another process holds it."""
    busy = f"another process trains in {out}: wait for its end, or end it, or name another --out"
    return locked(out, ConfigError(busy))


def other_data(out: Path, run: Run) -> str | None:
    """Return the videos that a run was trained on so far, None where they lie where they did, or nobody knows."""
    file = out / SETTINGS
    if not (file.exists() and (out / LAST).exists()):
        return None
    before = load_run(str(file), {}).data.path
    return before if before and user_path(before).resolve() != user_path(run.data.path).resolve() else None


def restore(out: Path) -> bool:
    """Write the settings of a run anew where its folder has lost them, and return whether it had.

    They are those in its checkpoint. Raises CheckpointError and ConfigError where these cannot be read or written.
    """
    if (out / SETTINGS).exists() or not (out / LAST).exists():
        return False
    if (settings := checkpoint(out, LAST).run) is None:
        return False
    try:
        write_text(out / SETTINGS, load_run(None, settings).to_toml())
    except ConfigError as error:
        raise ConfigError(f"{out} has no {SETTINGS}, and {LAST} in it has unknown settings: {error}") from error
    except OSError as error:
        raise ConfigError(f"{out / SETTINGS} cannot be written: {cause(error)}") from error
    return True


def checkpoint(out: Path, name: str) -> Checkpoint:
    """Read the last state of a run, or its best generator. Raises CheckpointError, which says how to go on without.

    name: LAST or BEST.
    """
    from stylegan_v.checkpoints.checkpoint import load  # loads torch

    try:
        return load(out / name)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {_WITHOUT[name]}") from error


def claim(out: Path, run: Run) -> None:
    """Make the folder of a run. Raises ConfigError as `check` does."""
    with claimed(out, run):
        pass


@contextlib.contextmanager
def claimed(out: Path, run: Run) -> Iterator[None]:
    """Make the folder of a run, and hold it for this process. Raises ConfigError as `check` does.

    Settings are written once it is held, so that they are those of the process that trains in it.
    """
    check(out, run)
    with _written(out):
        (out / "samples").mkdir(parents=True, exist_ok=True)
    with held(out):
        with _written(out):
            write_text(out / SETTINGS, run.to_toml())
        yield


def _holds_something(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


@contextlib.contextmanager
def _written(out: Path) -> Iterator[None]:
    """Raise ConfigError where the folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {cause(error)}") from error


def _settings(run: Run) -> dict[str, Any]:
    """Return all settings of a run, those of its model that files leave unsaid too."""
    model: Any = run.model  # a dataclass, as all configs are
    return {**run.as_dict(), "model": dataclasses.asdict(model)}
