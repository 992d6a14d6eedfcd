"""Memory is kept while a training runs, and given back after it."""

from __future__ import annotations

import platform
import resource
from pathlib import Path

import pytest
import torch

from stylegan_v.training.heap import kept_memory

MEBIBYTE = 2**20
PAGES = 64 * MEBIBYTE // resource.getpagesize()

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")


def faults() -> int:
    """Pages that the system fills for a tensor of 64 MiB, which is forgotten at once."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * MEBIBYTE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def test_memory_is_kept_and_given_back() -> None:
    with kept_memory():
        faults()
        assert faults() < PAGES / 10
        during = resident()

    assert resident() < during - 32 * MEBIBYTE


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with kept_memory():
        pass
