"""The number of processors that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def processors(root: Path = Path("/")) -> int:
    """Return how many processors this process may use, at least 1: those it is bound to, but no more than its quota of
    time.

    A container that is given two of 64 processors usually sees all 64, but its quota of processor time says two. A
    quota of 1.5 processors counts as 2.
    root: root of the file system in which Linux describes control groups.
    """
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on, and it obeys PYTHON_CPU_COUNT too
        usable = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    return max(1, min([usable, *map(math.ceil, _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """Return the quotas of the process's control group and of those around it, in processors. The smallest of them
    applies."""
    found: list[float] = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, text = line.partition(":")
        controllers, _, place = text.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers  # version 2 has one tree, without names of controllers
        # In a container that does not see the groups around it, the path is missing, and the mount is its own group.
        group = mount / place.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount):
                found += _quota(folder)
    return found


def _quota(group: Path) -> list[float]:
    """Return the quota of one group, where it has one."""
    texts = _read(group / "cpu.max").split() or [
        *_read(group / "cpu.cfs_quota_us").split(),  # version 1
        *_read(group / "cpu.cfs_period_us").split(),
    ]
    if len(texts) != 2 or not all(text.isdecimal() for text in texts) or "0" in texts:  # "max", or -1, is none
        return []
    quota, period = map(int, texts)
    return [quota / period]


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
