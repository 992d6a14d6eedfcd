"""The folder of a run: whether it can be written, holds no other run, is no part of the training videos, and is trained
in by one process at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fvd_bench.atomic import write_text
from fvd_bench.errors import cause
from fvd_bench.paths import user_path
from stylegan_v.checkpoints.files import LAST
from stylegan_v.errors import ConfigError
from stylegan_v.training.run import Run, load_run

FREE_TO_CHANGE = {
    "data": {"path", "preload"},
    "train": {"kimg", "micro_batch", "tf32", "compile", "cuda_graphs"},
    "report": {"tick_kimg", "snapshot_kimg", "fvd_kimg", "fvd_videos", "protocol"},
}
"""Settings in which a run may differ from how it began. They change no step, or only its rounding."""


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
    file = out / "run.toml"
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
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        reason = "no folder" if not there.is_dir() else "not writable"
        raise ConfigError(f"{out} cannot be written: {there} is {reason}")
    if there == out:
        with held(out):
            pass


@contextlib.contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold the folder of a run, which is there, for this process, where the file system has locks of folders.

    Raises ConfigError where another process holds it.
    """
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise ConfigError(
            f"another process trains in {out}: wait for its end, or end it, or name another --out"
        ) from None
    except OSError:  # such as of NFS, whose folders cannot be held
        pass
    try:
        yield
    finally:
        os.close(folder)


def other_data(out: Path, run: Run) -> str | None:
    """Return the videos that a run was trained on so far, None where they lie where they did, or nobody knows."""
    file = out / "run.toml"
    if not (file.exists() and (out / LAST).exists()):
        return None
    before = load_run(str(file), {}).data.path
    return before if before and user_path(before).resolve() != user_path(run.data.path).resolve() else None


def claim(out: Path, run: Run) -> None:
    """Make the folder of a run. Raises ConfigError as `check` does."""
    check(out, run)
    try:
        (out / "samples").mkdir(parents=True, exist_ok=True)
        write_text(out / "run.toml", run.to_toml())
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {cause(error)}") from error


def _settings(run: Run) -> dict[str, Any]:
    """Return all settings of a run, those of its model that files leave unsaid too."""
    model: Any = run.model  # a dataclass, as all configs are
    return {**run.as_dict(), "model": dataclasses.asdict(model)}
