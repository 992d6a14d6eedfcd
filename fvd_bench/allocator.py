"""Memory of the processor that is kept for the next tensors, instead of being given back and asked for again.

PyTorch takes every tensor on a processor from the C library. glibc takes large ones from the system and gives them back
as soon as they are free, and the system fills every page of the next one with zeros: up to 20,000 pages for a clip
through I3D, and 50,000 in a training step of `small` at 64². That is some hundredths of the time of either, and more on
a busy machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import threading
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Settings in glibc's malloc.h: from how many bytes on free memory is given back, and blocks are taken from the
system; and in how many places threads keep memory, apart from each other."""

_KEPT = 2**30
_USUAL = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}
"""The most that glibc itself raises them to, for programs with large blocks."""

_lock = threading.Lock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_blocks = 0
"""Blocks of `kept_memory` that run. The settings are those of the process."""


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keep blocks of up to 1 GiB once they are free, and give them back at the end. Does nothing without glibc.

    Where such blocks overlap, in threads too, it is at the end of the last one.
    """
    if not _is_glibc():
        yield
        return
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def share_memory() -> None:
    """Let all threads of this program take memory from one place. Does nothing without glibc.

    Each has a place of its own otherwise, of 64 MiB at most, which cannot keep large blocks. It holds until the program
    ends, for threads that begin after it.
    """
    if _is_glibc():
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def _count(change: int) -> None:
    """Count a block that begins or ends, and change the settings at the first and the last one."""
    global _blocks
    libc = ctypes.CDLL(None)
    with _lock:
        before, _blocks = _blocks, _blocks + change
        if before and _blocks:
            return
        for setting, value in _USUAL.items():
            libc.mallopt(setting, _KEPT if _blocks else value)
        if not _blocks:
            libc.malloc_trim(0)
