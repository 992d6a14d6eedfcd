"""What the processes of a torch.distributed run tell each other; one process without it is a run of one."""

from __future__ import annotations

from typing import Any, TypeVar

import torch.distributed as dist

_T = TypeVar("_T")


def rank() -> int:
    return int(dist.get_rank()) if _is_running() else 0


def world() -> int:
    """Processes in the run."""
    return int(dist.get_world_size()) if _is_running() else 1


def gather(mine: _T) -> list[_T] | None:
    """What all processes hand in, in the order of ranks, for rank 0; None for the others. Waits for all of them."""
    if world() == 1:
        return [mine]
    everything: list[Any] | None = [None] * world() if rank() == 0 else None  # torch fills it in
    dist.gather_object(mine, everything, dst=0)
    return everything


def broadcast(mine: _T) -> _T:
    """What rank 0 hands in, for all. Waits for all of them."""
    if world() > 1:
        box = [mine]
        dist.broadcast_object_list(box, src=0)
        (mine,) = box
    return mine


def _is_running() -> bool:
    return dist.is_available() and dist.is_initialized()
