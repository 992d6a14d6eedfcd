"""Micro-batches side by side on a processor, each on some of its threads.

Threads that share one micro-batch wait for each other at the end of each operation, hundreds of times, and for whatever
else the processor does meanwhile. Those of different ones wait once.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

MOST_FRAMES = 256
"""Frames that may be in all lanes together, as each takes memory: some 5 MiB of I3D's. A processor with more threads
than such lanes has several on each."""

Item = TypeVar("Item")
Made = TypeVar("Made")


class Lanes:
    """Threads of which each works on a micro-batch of its own, with an equal share of torch's threads.

    most: how many there are at most. A processor of fewer threads has one for each.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    @property
    def count(self) -> int:
        """How many micro-batches can be worked on at once."""
        return min(self._most, torch.get_num_threads())

    def map(self, work: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
        """Return what work makes of each item. It must give the same for any number of threads, and no gradients.

        Raises what it raises, once nothing runs any more.
        """
        threads = torch.get_num_threads()
        lanes = min(self.count, len(items))
        if lanes <= 1:
            return [work(item) for item in items]

        def share(item: Item) -> Made:
            torch.set_num_threads(threads // lanes)  # for this thread, and for those that torch does not know yet
            with torch.inference_mode():
                return work(item)

        try:
            made = [_pool(lanes, os.getpid()).submit(share, item) for item in items]
            wait(made)
        finally:
            torch.set_num_threads(threads)
        return [each.result() for each in made]


@functools.cache
def _pool(lanes: int, process: int) -> ThreadPoolExecutor:
    """Return threads that stay, as new ones would take fresh memory each time. process: a fork has none of them."""
    return ThreadPoolExecutor(lanes, "lane")
