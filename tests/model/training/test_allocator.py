"""Memory is kept while a training runs, and given back after it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from stylegan_v.training.allocator import kept_memory

PROGRAM = """
import resource, torch
from stylegan_v.training.allocator import kept_memory

def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(mebibytes * 2**18) for mebibytes in (1, 4, 8, 16, 24, 30, 2, 12)]
    del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

step()
with kept_memory():
    kept = [step() for _ in range(4)]
print(kept[-1], step())
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")


def _measured() -> tuple[int, int]:
    """In a Python of its own: a fork of this one would have the gaps of its heap."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    kept, after = map(int, done.stdout.split())
    return kept, after


def test_memory_is_kept_and_given_back() -> None:
    """Pages that the system fills in a step of tensors of several sizes: few, and many once that is over.

    In one process of six at least: where its heap lies differs, in some what is freed does not lie together, and a
    system that is short of memory takes pages back that are not in use.
    """
    measured = []
    for _ in range(6):
        measured.append(_measured())
        if measured[-1][0] < measured[-1][1] / 4 and measured[-1][1] > 10_000:
            return
    pytest.fail(f"pages in a step, kept and after: {measured}")


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with kept_memory():
        pass
