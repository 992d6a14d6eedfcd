"""Work that threads do ahead of its consumer, handed over in the order of the tasks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Task = TypeVar("Task")
Item = TypeVar("Item")

_ITEMS_PER_TASK = 2
"""A task with more unused items than this waits for the consumer, so that a long one needs no more memory."""

_POLL_SECONDS = 0.1
_FAREWELL_SECONDS = 2.0


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

    Hardly more tasks than workers are under way or waiting for the consumer. An exception in `work` is raised here,
    at the place of its task. When the consumer stops early the threads end by themselves.
    """
    line: _Line[Task, Item] = _Line(tasks, work, places=workers + 2)
    threads = [threading.Thread(target=line.run, daemon=True) for _ in range(min(workers, len(tasks)))]
    for thread in threads:
        thread.start()
    try:
        for _ in tasks:
            task, out = line.begun.get()
            while not isinstance(item := out.get(), _End):
                if isinstance(item, _Failure):
                    raise item.error
                yield task, item
            line.places.release()
    finally:
        line.closed.set()
        for thread in threads:
            thread.join(_FAREWELL_SECONDS)


class _Line(Generic[Task, Item]):
    """The tasks, the queues of the items of those begun, and what the threads share."""

    def __init__(self, tasks: Sequence[Task], work: Callable[[Task], Iterator[Item]], *, places: int) -> None:
        self.begun: queue.Queue[tuple[Task, queue.Queue[Item | _Failure | _End]]] = queue.Queue()
        self.places = threading.Semaphore(places)
        self.closed = threading.Event()
        self._tasks = iter(tasks)
        self._work = work
        self._taking = threading.Lock()

    def run(self) -> None:
        """Runs in a thread: one task after the other."""
        try:
            while self._take_and_do():
                pass
        except _Closed:
            pass

    def _take_and_do(self) -> bool:
        with self._taking:  # a task gets its place and its turn in one step, so the first unfinished one has both
            while not self.places.acquire(timeout=_POLL_SECONDS):
                if self.closed.is_set():
                    raise _Closed
            try:
                task = next(self._tasks)
            except StopIteration:
                return False
            out: queue.Queue[Item | _Failure | _End] = queue.Queue(_ITEMS_PER_TASK)
            self.begun.put((task, out))
        try:
            for item in self._work(task):
                self._put(out, item)
        except _Closed:
            raise
        except BaseException as error:  # handed to the consumer, who raises it
            self._put(out, _Failure(error))
        self._put(out, _End())
        return True

    def _put(self, out: queue.Queue[Item | _Failure | _End], item: Item | _Failure | _End) -> None:
        while not self.closed.is_set():
            try:
                out.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue
        raise _Closed
