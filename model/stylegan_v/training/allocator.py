"""Memory of the CPU that training keeps from step to step, instead of giving it back and asking for it again.

PyTorch takes every tensor on a CPU from the C library. glibc takes large ones from the system and gives them back as
soon as they are free, and the system fills every page of the next one with zeros: 50,000 pages in a step of `small` at
64², which is a tenth of its time.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Settings in glibc's malloc.h: from how many bytes on free memory is given back, and blocks are taken from the
system."""

_KEPT = 2**30
_USUAL = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}
"""The most that glibc itself raises them to, for programs with large blocks."""


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keep blocks of up to 1 GiB once they are free, and give them back at the end. Does nothing without glibc."""
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    for setting in _USUAL:
        libc.mallopt(setting, _KEPT)
    try:
        yield
    finally:
        for setting, value in _USUAL.items():
            libc.mallopt(setting, value)
        libc.malloc_trim(0)
