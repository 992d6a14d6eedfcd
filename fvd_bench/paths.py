"""Paths as people write them, and the folder of the files that this package keeps for itself."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PathLike = str | os.PathLike[str]


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file that is there."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # not there, or no path
        return False


def user_path(path: PathLike) -> Path:
    """Return a path as people write it, in which ~ is a home folder like in a shell.

    Raises ArgumentError for what is no path, and for an empty text, which would be the folder where one is.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"{path!r:.100} is no path: expected a text or a Path")
    if path == "":
        raise ArgumentError("a path is empty, as a variable that is not set is")
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where there is no such user


_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")

_PIPED: dict[int, str] = {}
"""Text by the number of a pipe that this process was given. A pipe gives it once, and commands look into some files
more than once."""


def read_text(path: PathLike) -> str:
    """Return the text of a file in UTF-8 that a user named, which may be a pipe, without a byte order mark, which
    editors on Windows put before it.

    Raises OSError, also for a device, some of which never end, and UnicodeDecodeError.
    """
    place = user_path(path)
    state = place.stat()
    if stat.S_ISCHR(state.st_mode):
        raise OSError(f"{place.name} is a device: expected a file")
    if not stat.S_ISFIFO(state.st_mode) or not str(place).startswith(_DESCRIPTORS):
        return place.read_text("utf-8-sig")
    if state.st_ino not in _PIPED:
        _PIPED[state.st_ino] = place.read_text("utf-8-sig")
    return _PIPED[state.st_ino]


def distinct_names(paths: Sequence[str]) -> list[str]:
    """Return the part of each path in which the paths differ, whole names of folders and files; of one path the last.

    So runs/a/samples and runs/b/samples are `a` and `b`.
    """
    parts = [path.strip("/").split("/") for path in paths]
    for kept, end in ((slice(1, None), 0), (slice(-1), -1)):
        while all(len(p) > 1 for p in parts) and len({p[end] for p in parts}) == 1:
            parts = [p[kept] for p in parts]
    return ["/".join(p) for p in parts]


def set_apart(names: Iterable[str]) -> list[str]:
    """Return names of which no two are the same: a second `a.mp4` is `a (2).mp4`."""
    found: dict[str, None] = {}
    times: Counter[str] = Counter()
    for name in names:
        stem, ending = os.path.splitext(name)  # noqa: PTH122 - it may be an address
        distinct = name
        while distinct in found:
            times[name] += 1
            distinct = f"{stem} ({times[name] + 1}){ending}"
        found[distinct] = None
    return list(found)


def shipped(package: str, beside: str) -> Traversable:
    """Return a folder of files that ship: inside the package, or, in a checkout that is not installed, where it lies.

    beside: its path below the top of the checkout.
    """
    import importlib.resources  # for the few who ask

    try:
        return importlib.resources.files(package)
    except ModuleNotFoundError:
        return Path(__file__).parents[1] / beside


def home() -> Path:
    """Return the folder of weights and features: FVD_BENCH_HOME, else `fvd-bench` in the platform's cache folder.

    Raises ArgumentError where there is none, as for a user without a home folder.
    """
    if home := os.environ.get("FVD_BENCH_HOME"):
        return user_path(home)
    if sys.platform != "darwin" and (cache := os.environ.get("XDG_CACHE_HOME")):
        return Path(cache) / "fvd-bench"
    try:
        users = Path.home()
    except RuntimeError as error:
        raise ArgumentError(
            "this user has no home folder, in which weights and features would be kept: name a folder for them by the "
            "environment variable FVD_BENCH_HOME"
        ) from error
    return users / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "fvd-bench"
