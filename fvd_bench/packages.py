"""Packages that only some uses need, and the message where one of them is not installed."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

from fvd_bench.errors import FvdBenchError


@contextlib.contextmanager
def needed_for(what: str, package: str, *, raising: type[FvdBenchError] = FvdBenchError) -> Iterator[None]:
    """Run a block that imports a package. Where that fails, say what needs the package and how to get it.

    what: the use, in the plural.
    package: its name for pip, with extras: `fvd-bench[ray]`.
    raising: the type of the error.
    """
    try:
        yield
    except ImportError as error:
        raise raising(f"{what} need {package}, which is not installed: pip install {shlex.quote(package)}") from error
