"""Several processes as one: torchrun starts them, and each has a share of every batch.

A process takes every W-th sample of a batch, so that the groups of the minibatch deviation are those of the whole
batch. Gradients and other means are averaged over processes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import torch
from torch import Tensor
from torch import distributed as dist

from fvd_bench.errors import EndedElsewhereError, is_out_of_memory
from fvd_bench.features.distributed import described, join
from stylegan_v.errors import ConfigError, ModelError

_PATIENCE = timedelta(hours=4)
"""How long processes wait for each other, since rank 0 scores checkpoints meanwhile."""


@contextlib.contextmanager
def process_group(device: str) -> Iterator[torch.device]:
    """Join the group that torchrun describes, if it does, and give this process's device. Raises ConfigError, and
    ArgumentError where it cannot be joined."""
    if described() is None:
        yield torch.device(device)
        return
    place = int(os.environ.get("LOCAL_RANK", "0"))
    local = torch.device("cuda", place) if device == "cuda" else torch.device(device)
    if local.type == "cuda":
        if place >= (gpus := torch.cuda.device_count()):
            raise ConfigError(
                f"process {place} of this machine, counted from 0, has no GPU: there are {gpus}, so start as many "
                "processes, as torchrun's option says"
            )
        torch.cuda.set_device(local)
    join("cpu:gloo,cuda:nccl" if local.type == "cuda" else "gloo", _PATIENCE)
    try:
        yield local
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average(tensors: Iterable[Tensor]) -> None:
    """Replace tensors of one type by their means over processes, in one exchange. Raises EndedElsewhereError."""
    tensors = list(tensors)
    if world() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    _exchange(lambda: dist.all_reduce(flat), flat.device)
    flat /= world()
    for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def agree(value: bool) -> bool:
    """Return the value of rank 0. Raises EndedElsewhereError."""
    return bool(broadcast(float(value)))


def is_alike(digest: str) -> bool:
    """Return whether a digest, of hexadecimal digits, is the same in all processes. Raises EndedElsewhereError."""
    number = float(int(digest[:12], 16))  # which a number of 64 bits holds exactly
    others = torch.tensor([float(number != broadcast(number))])
    average([others])
    return not others.item()


def on_first(action: Callable[[], None]) -> None:
    """Do something in rank 0 while the others wait. What fails there fails everywhere.

    Raises what the action raises, and ModelError in the other processes.
    """
    failure: Exception | None = None
    if rank() == 0:
        try:
            action()
        except Exception as error:  # any exception, since the others must not wait for ever
            failure = error
    if agree(failure is not None):
        raise failure or ModelError(f"process {rank()} ends because process 0 failed, which says why")


def broadcast(value: float) -> float:
    """Return a number of rank 0. It is exchanged on the CPU, so that nothing waits for a GPU.

    Raises EndedElsewhereError.
    """
    if world() == 1:
        return value
    number = torch.tensor([value], dtype=torch.float64)
    _exchange(lambda: dist.broadcast(number, 0), number.device)
    return float(number.item())


def _exchange(action: Callable[[], object], device: torch.device) -> None:
    """Exchange tensors on a device. Raises EndedElsewhereError when another process is gone.

    On a GPU, errors of what it computed before may show here, too, and are raised as they are.
    """
    gone = RuntimeError if device.type == "cpu" else dist.DistError
    try:
        action()
    except gone as error:
        if is_out_of_memory(error):
            raise
        raise EndedElsewhereError(rank(), EndedElsewhereError.exit_code) from error
