"""A step of training as a CUDA graph: recorded once, and then started by one call instead of thousands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stylegan_v.data.clips import Batch

_WARM_UP = 2
"""Number of calls before the one that is recorded. They choose algorithms, and copy constants to the GPU."""


class Recorded:
    """A function of sample numbers and a batch that changes networks in place and never waits for the GPU.

    Its first calls run as they are, on a stream of their own, as recording requires. Every later call copies its inputs
    to where the recorded call had them, and starts the graph.
    """

    def __init__(self, work: Callable[[Tensor, Batch], dict[str, Tensor]]) -> None:
        self._work = work
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, Batch]
        self._outputs: dict[str, Tensor]

    def __call__(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        self._calls += 1
        if self._calls <= _WARM_UP:
            return self._aside(numbers, batch)
        if self._graph is None:
            clones = Batch(batch.frames.clone(), batch.times.clone(), batch.labels.clone())
            self._inputs, self._graph = (numbers.clone(), clones), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # since threads read clips meanwhile
                self._outputs = self._work(*self._inputs)
        kept_numbers, kept = self._inputs
        pairs = ((kept_numbers, numbers), (kept.frames, batch.frames), (kept.times, batch.times))
        for ours, given in (*pairs, (kept.labels, batch.labels)):
            ours.copy_(given, non_blocking=True)
        self._graph.replay()
        return {name: value.clone() for name, value in self._outputs.items()}

    def _aside(self, numbers: Tensor, batch: Batch) -> dict[str, Tensor]:
        current = torch.cuda.current_stream()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            outputs = self._work(numbers, batch)
        current.wait_stream(aside)
        return outputs
