"""Work that threads do ahead of its consumer, handed over in the order of the tasks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Task = TypeVar("Task")
Item = TypeVar("Item")

_ITEMS_PER_TASK = 4
"""A task that makes more than this many items waits for the consumer, so that a long one needs no more memory."""

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


class _End:
    """Stands behind the last item of a task."""


class _Closed(Exception):
    """The consumer has left."""


def in_order(
    tasks: Sequence[Task], work: Callable[[Task], Iterator[Item]], *, workers: int
) -> Iterator[tuple[Task, Item]]:
    """Run `work` on each task in `workers` threads and yield (task, item) in the order of tasks and items.

    At most twice as many tasks as workers are under way or waiting for the consumer. An exception in `work` is
    raised here, at the place of its task. When the consumer stops early the threads end by themselves.
    """
    line: _Line[Task, Item] = _Line(tasks, work, places=2 * workers)
    threads = [threading.Thread(target=line.run, daemon=True) for _ in range(min(workers, len(tasks)))]
    for thread in threads:
        thread.start()
    try:
        for task, out in zip(tasks, line.outputs, strict=True):
            while not isinstance(item := out.get(), _End):
                if isinstance(item, _Failure):
                    raise item.error
                yield task, item
            line.places.release()
    finally:
        line.closed.set()
        for thread in threads:
            thread.join()


class _Line(Generic[Task, Item]):
    """The tasks, the queues of their items, and what the threads share."""

    def __init__(self, tasks: Sequence[Task], work: Callable[[Task], Iterator[Item]], *, places: int) -> None:
        self.outputs: list[queue.Queue[Item | _Failure | _End]] = [queue.Queue(_ITEMS_PER_TASK) for _ in tasks]
        self.places = threading.Semaphore(places)
        self.closed = threading.Event()
        self._work = work
        self._tasks = iter(list(enumerate(tasks)))
        self._next = threading.Lock()

    def run(self) -> None:
        try:
            while (numbered := self._take()) is not None:
                number, task = numbered
                self._fill(self.outputs[number], task)
        except _Closed:
            pass

    def _take(self) -> tuple[int, Task] | None:
        """The next task, taken and given a place in one step: so the first unfinished task always has one."""
        with self._next:
            while not self.places.acquire(timeout=_POLL_SECONDS):
                if self.closed.is_set():
                    raise _Closed
            return next(self._tasks, None)

    def _fill(self, out: queue.Queue[Item | _Failure | _End], task: Task) -> None:
        try:
            for item in self._work(task):
                self._put(out, item)
        except _Closed:
            raise
        except BaseException as error:  # handed to the consumer, who raises it
            self._put(out, _Failure(error))
        self._put(out, _End())

    def _put(self, out: queue.Queue[Item | _Failure | _End], item: Item | _Failure | _End) -> None:
        while not self.closed.is_set():
            try:
                out.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue
        raise _Closed
