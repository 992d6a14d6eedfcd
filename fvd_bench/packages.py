"""Packages that only some uses need, and what is said where one of them is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fvd_bench.errors import FvdBenchError


@contextlib.contextmanager
def needed_for(what: str, package: str, *, raising: type[FvdBenchError] = FvdBenchError) -> Iterator[None]:
    """Import a package in the block; where that fails, say what needs it and how to get it.

    what: the use, in the plural. package: as pip knows it. raising: the error to raise.
    """
    try:
        yield
    except ImportError as error:
        raise raising(f"{what} need {package}, which is not installed: pip install {package}") from error
