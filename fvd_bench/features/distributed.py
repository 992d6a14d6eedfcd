"""How the processes of a torch.distributed run exchange results. Without torch.distributed a run has one process.

Torch takes seconds to load, so it is loaded here only where torchrun started the process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

from fvd_bench.errors import EXIT_OF_FAULTS, ArgumentError, EndedElsewhereError, FvdBenchError

_T = TypeVar("_T")

_MEETING = timedelta(minutes=10)
"""How long the processes of a run wait at its start until all of them are there."""

_PATIENCE = timedelta(hours=12)
"""How long processes wait for each other after that, since their shares of the videos may take long."""


@dataclass(frozen=True, slots=True)
class Share:
    """Every `parts`-th item of a list, from `part` on.

    exchanged: whether the other processes of this run take the other parts, and exchange their results.
    """

    part: int = 0
    parts: int = 1
    exchanged: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all that exchange their results."""
        return self.part == 0 or not self.exchanged

    def has(self, place: int) -> bool:
        return place % self.parts == self.part

    def everyone(self, action: Callable[[], _T]) -> list[_T]:
        """Run an action in all processes, and return what each got, in the order of ranks.

        An error in one process ends all: that process raises it, and the others raise EndedElsewhereError.
        """
        if not self.exchanged:
            return [action()]
        mine: _T | None = None
        error: Exception | None = None
        try:
            mine = action()
        except Exception as failure:
            error = failure
        found = everyones((None if error is None else _exit_code(error), mine))
        if error is not None:
            raise error
        failed = [(place, code) for place, (code, _) in enumerate(found) if code is not None]
        if failed:
            raise EndedElsewhereError(*failed[0])
        return [theirs for _, theirs in found]  # type: ignore[misc]  # where there is no code, there is a result

    def once(self, action: Callable[[], _T]) -> _T:
        """Run an action in rank 0 alone, and return its result in all processes, which wait for it.

        Raises what the action raises. A FvdBenchError is raised in all processes. Any other error is raised in rank 0,
        and the others raise EndedElsewhereError.
        """
        return once(action) if self.exchanged else action()


WHOLE = Share()


@contextlib.contextmanager
def processes() -> Iterator[bool]:
    """Join the run that torchrun describes, if there is one. Yield whether this process speaks for all of its run.

    Raises ArgumentError where what describes it is not whole.
    """
    if described() is None or _running() is not None:
        yield rank() == 0
        return
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    join("gloo", _PATIENCE)
    try:
        yield rank() == 0
    finally:
        dist.destroy_process_group()


def described() -> tuple[int, int] | None:
    """Return the place of this process and the number of processes that torchrun has put into the environment, None
    where there are none. Raises ArgumentError for what no run has."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return None
    with _joining():
        place, several = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        if not 0 <= place < several:
            raise ValueError(f"RANK is {place} and WORLD_SIZE {several}, where ranks are 0 to {several - 1}")
    return place, several


def join(backend: str, patience: timedelta) -> None:
    """Join the run that the environment describes.

    backend: what exchanges tensors, as torch names it. patience: how long processes wait for each other later on.
    Raises ArgumentError where they do not meet within _MEETING.
    """
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    with _joining():
        store, place, several = _in_a_thread(lambda: next(rendezvous("env://", timeout=_MEETING)))
        store.set_timeout(patience)
        dist.init_process_group(backend, store=store, rank=place, world_size=several, timeout=patience)


def _in_a_thread(action: Callable[[], _T]) -> _T:
    """Return what an action does, which waits without heeding Ctrl-C. This waits for it and heeds it."""
    found: Future[_T] = Future()

    def run() -> None:
        try:
            found.set_result(action())
        except Exception as error:  # any exception, since it is raised again
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found.result()


@contextlib.contextmanager
def _joining() -> Iterator[None]:
    """Raise ArgumentError where the environment describes a run that cannot be joined, as torch says."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ArgumentError(
            "RANK, WORLD_SIZE and MASTER_ADDR are set as for one of several processes, and these do not meet: "
            f"{reason}; start them by torchrun, or unset these variables for one process"
        ) from error


def share() -> Share:
    """Return this process's share of the work of all processes."""
    return Share(rank(), world(), exchanged=world() > 1)


def rank() -> int:
    """Return the place of this process in the run, from 0."""
    dist = _running()
    return 0 if dist is None else int(dist.get_rank())


def world() -> int:
    """Return the number of processes in the run."""
    dist = _running()
    return 1 if dist is None else int(dist.get_world_size())


def is_first() -> bool:
    """Return whether this process speaks for all that torchrun has started, also where it has not joined them.

    Raises ArgumentError as `described` does.
    """
    return _started()[0] == 0


def refuse_several(command: str, instead: str = "") -> None:
    """Raise ArgumentError where torchrun has started several processes, also where this one has not joined them.

    command: what is not divided among processes. instead: what is, as the rest of the sentence.
    """
    started = _started()[1]
    if started > 1:
        raise ArgumentError(
            f"{command} is not divided, and {started} processes would each do all of it: run the command without "
            f"torchrun{instead}"
        )


def gather(mine: _T) -> list[_T] | None:
    """Return to rank 0 what all processes hand in, in the order of ranks, and None to the others. Wait for all of them.

    Raises EndedElsewhereError.
    """
    if world() == 1:
        return [mine]
    everything: list[Any] | None = [None] * world() if rank() == 0 else None  # torch fills it in
    _exchange(lambda dist: dist.gather_object(mine, everything, dst=0))
    return everything


def everyones(mine: _T, group: Any = None) -> list[_T]:
    """Return what all processes hand in, in the order of ranks, to each of them. Wait for all of them.

    group: the processes that take part, as torch.distributed makes a group of them; None for all.
    Raises EndedElsewhereError.
    """
    dist = _running()
    if dist is None:
        return [mine]
    found: list[Any] = [None] * dist.get_world_size(group)  # torch fills it in
    _exchange(lambda dist: dist.all_gather_object(found, mine, group=group))
    return found


def once(action: Callable[[], _T]) -> _T:
    """Do what `Share.once` does, for all processes of the run."""
    if world() == 1:
        return action()
    box: list[Any] = [None]  # torch fills it in
    error: Exception | None = None
    if rank() == 0:
        try:
            box = [(action(), None)]
        except Exception as failure:
            error = failure
            told = error if isinstance(error, FvdBenchError) else EndedElsewhereError(0, _exit_code(error))
            box = [(None, told)]
    _exchange(lambda dist: dist.broadcast_object_list(box, src=0))
    found, told = box[0]
    if error is not None or told is not None:
        raise error or told
    answer: _T = found
    return answer


def _exit_code(error: Exception) -> int:
    return error.exit_code if isinstance(error, FvdBenchError) else EXIT_OF_FAULTS


def _exchange(action: Callable[[ModuleType], object]) -> None:
    """Run an exchange between processes, which gets torch.distributed. Raises EndedElsewhereError when another process
    is gone."""
    dist = _running()
    assert dist is not None
    try:
        action(dist)
    except RuntimeError as error:
        raise EndedElsewhereError(rank(), 3) from error


def _started() -> tuple[int, int]:
    """Return the place of this process and the number of those that torchrun has started, joined or not."""
    joined = rank(), world()
    return joined if _running() is not None else described() or joined


def _running() -> ModuleType | None:
    """Return torch.distributed if this process takes part in a run of it, else None. A run begins by loading it, so it
    is not loaded to find out."""
    dist = sys.modules.get("torch.distributed")
    return dist if dist is not None and dist.is_available() and dist.is_initialized() else None
