"""Memory is kept while networks run or train, by all of their threads, and given back after it."""

from __future__ import annotations

import platform
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

import fvd_bench
from fvd_bench import allocator
from fvd_bench.allocator import kept_memory, share_memory
from fvd_bench.finding import FvdBenchWarning

STEP = """
import resource, threading, torch
from fvd_bench.allocator import kept_memory, share_memory

def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(mebibytes * 2**18) for mebibytes in (1, 4, 8, 16, 24, 30, 2, 12)]
    del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

step()
"""

KEPT = """
with kept_memory(block=2**30, free=2**30):
    kept = [step() for _ in range(4)]
print(kept[-1], step())
"""

OVERLAPPING = """
outer, inner = (kept_memory(block=2**30, free=2**30) for _ in range(2))
outer.__enter__(); inner.__enter__(); outer.__exit__(None, None, None)
kept = [step() for _ in range(4)]
inner.__exit__(None, None, None)
print(kept[-1], step())
"""

IN_A_THREAD = """
share_memory()
kept = []
with kept_memory(block=2**30, free=2**30):
    thread = threading.Thread(target=lambda: kept.extend(step() for _ in range(4)))
    thread.start(); thread.join()
print(kept[-1], step())
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")


def _measured(program: str) -> tuple[int, int]:
    """In a Python of its own: a fork of this one would have the gaps of its heap."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", STEP + program], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    kept, after = map(int, done.stdout.split())
    return kept, after


@pytest.mark.parametrize("program", [KEPT, OVERLAPPING, IN_A_THREAD], ids=["one", "overlapping", "thread"])
def test_memory_is_kept_and_given_back(program: str) -> None:
    """Pages that the system fills in a step of tensors of several sizes: few, and many once that is over.

    In one process of six at least: where its heap lies differs, in some what is freed does not lie together, and a
    system that is short of memory takes pages back that are not in use.
    """
    measured = []
    for _ in range(6):
        measured.append(_measured(program))
        if measured[-1][0] < measured[-1][1] / 4 and measured[-1][1] > 10_000:
            return
    pytest.fail(f"pages in a step, kept and after: {measured}")


def test_networks_run_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    class Recorded:
        def mallopt(self, *settings: int) -> None:
            events.append("settings")

        def malloc_trim(self, kept: int) -> None:
            events.append("given back")

    class Mean(torch.nn.Module):
        def forward(self, clips: Tensor) -> Tensor:
            events.append("network")
            return clips.mean((1, 2))[:, :4, :4].flatten(1).contiguous()

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: Recorded())
    videos = np.random.default_rng(0).integers(0, 256, (4, 16, 8, 8, 3), dtype=np.uint8)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FvdBenchWarning)
        fvd_bench.evaluate(videos, videos[::-1], network=Mean(), progress=False)

    one_side = ["settings"] * 2 + ["network"] * 2 + ["settings"] * 2 + ["given back"]
    assert events == ["network", *one_side, *one_side]  # it is tried before, with no clips to speak of


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: pytest.fail("changed a setting"))
    share_memory()
    with kept_memory(block=2**30, free=2**30):
        pass
