"""Paths as people write them, and the folder of the files that this package keeps for itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PathLike = str | os.PathLike[str]


def user_path(path: PathLike) -> Path:
    """Return a path as people write it, in which ~ is a home folder like in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where there is no such user


def home() -> Path:
    """Return the folder of weights and features: FVD_BENCH_HOME, else `fvd-bench` in the platform's cache folder."""
    if home := os.environ.get("FVD_BENCH_HOME"):
        return user_path(home)
    if sys.platform == "darwin":
        cache, default = None, Path.home() / "Library" / "Caches"
    else:
        cache, default = os.environ.get("XDG_CACHE_HOME"), Path.home() / ".cache"
    return (Path(cache) if cache else default) / "fvd-bench"
