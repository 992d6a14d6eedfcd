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
from collections.abc import Iterator, Mapping

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Settings in glibc's malloc.h: from how many bytes on free memory is given back, and blocks are taken from the
system; and in how many places threads keep memory, apart from each other."""

_USUAL = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}
"""The most that glibc itself raises them to, for programs with large blocks."""

_lock = threading.Lock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_uses = 0
"""How many uses of `kept_memory` there are now. The settings are those of the process."""


@contextlib.contextmanager
def kept_memory(*, block: int, free: int) -> Iterator[None]:
    """Keep blocks of memory once they are free, and give them back at the end. Does nothing without glibc.

    block: bytes of the largest that is kept. free: bytes of free memory that are kept at most; none are given back that
        lie between others, so memory may grow the more, the larger both are.
    Where this is done several times at once, in threads too, it holds from the first beginning to the last end.
    """
    if not _is_glibc():
        yield
        return
    _count(1, {_TRIM_THRESHOLD: free, _MMAP_THRESHOLD: block})
    try:
        yield
    finally:
        _count(-1, _USUAL)


def share_memory() -> None:
    """Let all threads of this program take memory from one place. Does nothing without glibc.

    Each has a place of its own otherwise, of 64 MiB at most, which cannot keep large blocks. It holds until the program
    ends, for threads that begin after it.
    """
    if _is_glibc():
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def _count(change: int, settings: Mapping[int, int]) -> None:
    """Count a use of `kept_memory` that begins or ends, and change the settings at the first and the last one."""
    global _uses
    libc = ctypes.CDLL(None)
    with _lock:
        before, _uses = _uses, _uses + change
        if before and _uses:
            return
        for setting, value in settings.items():
            libc.mallopt(setting, value)
        if not _uses:
            libc.malloc_trim(0)
