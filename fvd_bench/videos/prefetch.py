"""Threads that work ahead of the consumer, and hand over their results in the order of the tasks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Task = TypeVar("Task")
Item = TypeVar("Item")

_ITEMS_PER_TASK = 2
"""A task with more unused items than this waits for the consumer, so that a long task needs no more memory."""

_POLL_SECONDS = 0.1
_FAREWELL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


class _End:
    """The mark that follows the last item of a task."""


class _Closed(Exception):
    """The consumer has left."""


class Budget:
    """Bytes that all tasks of one `in_order` may use together.

    The task that the consumer waits for may always go on. So the bytes in use can exceed the budget by what one task
    takes at a time.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._used_bytes = 0
        self._turn = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.local()

    def take(self, size: int) -> None:
        """Wait until the task of this thread may use `size` bytes more.

        They count as used until the consumer is done with the next item that the task yields.
        """
        with self._changed:
            while self._used_bytes + size > self._most_bytes and self._thread.number != self._turn:
                if self._is_closed:
                    raise _Closed
                self._changed.wait()
            self._used_bytes += size
        self._thread.taken += size

    def begin(self, number: int) -> None:
        """Say that this thread works on the task of this number from now on."""
        self._thread.number, self._thread.taken = number, 0

    def taken(self) -> int:
        """Return the bytes that this thread's task took since the last call."""
        taken: int = self._thread.taken
        self._thread.taken = 0
        return taken

    def give_back(self, size: int, *, ends_turn: bool) -> None:
        """Say that the consumer is done with an item of this size. ends_turn: whether it was the last one of its
        task."""
        with self._changed:
            self._used_bytes -= size
            self._turn += ends_turn
            self._changed.notify_all()

    def close(self) -> None:
        """Wake all threads that wait, and let no thread wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def in_order(
    tasks: Sequence[Task], work: Callable[[Task], Iterator[Item]], *, workers: int, budget: Budget | None = None
) -> Iterator[tuple[Task, Item]]:
    """Run `work` on each task in `workers` threads, and yield (task, item) in the order of tasks and items.

    At any time hardly more tasks than workers are running or waiting for the consumer. An exception in `work` is raised
    here, at the place of its task. When the consumer stops early, the threads end by themselves.
    budget: the budget from which `work` takes bytes for large items. It must be new for each call.
    """
    budget = budget or Budget(0)
    line: _Line[Task, Item] = _Line(tasks, work, budget, places=workers + 2)
    threads = _started(line.run, min(workers, len(tasks)))
    try:
        for _ in tasks:
            task, out = line.begun.get()
            while True:
                item, taken = out.get()
                if isinstance(item, _End):
                    break
                if isinstance(item, _Failure):
                    raise item.error
                yield task, item
                budget.give_back(taken, ends_turn=False)
            budget.give_back(taken, ends_turn=True)
            line.places.release()
    finally:
        line.closed.set()
        budget.close()
        for thread in threads:
            thread.join(_FAREWELL_SECONDS)


def _started(run: Callable[[], None], wanted: int) -> list[threading.Thread]:
    """Start threads, fewer than are wanted where the system gives no more. Raises RuntimeError where it gives none."""
    threads: list[threading.Thread] = []
    for _ in range(wanted):
        thread = threading.Thread(target=run, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not threads:
                raise
            break
        threads.append(thread)
    return threads


_Out = queue.Queue[tuple[Item | _Failure | _End, int]]
"""The results of one task, each item with the bytes that were taken for it."""


class _Line(Generic[Task, Item]):
    """What the threads share: the tasks, and a queue of items for each task that was begun."""

    def __init__(
        self, tasks: Sequence[Task], work: Callable[[Task], Iterator[Item]], budget: Budget, *, places: int
    ) -> None:
        self.begun: queue.Queue[tuple[Task, _Out[Item]]] = queue.Queue()
        self.places = threading.Semaphore(places)
        self.closed = threading.Event()
        self._tasks = enumerate(tasks)
        self._budget = budget
        self._work = work
        self._taking = threading.Lock()

    def run(self) -> None:
        """Work on one task after the other. This runs in a thread."""
        try:
            while self._take_and_do():
                pass
        except _Closed:
            pass

    def _take_and_do(self) -> bool:
        with self._taking:  # a task gets place and turn in one step, so the first unfinished one always has both
            while not self.places.acquire(timeout=_POLL_SECONDS):
                if self.closed.is_set():
                    raise _Closed
            try:
                number, task = next(self._tasks)
            except StopIteration:
                return False
            out: _Out[Item] = queue.Queue(_ITEMS_PER_TASK)
            self.begun.put((task, out))
        self._budget.begin(number)
        try:
            for item in self._work(task):
                self._put(out, item)
        except _Closed:
            raise
        except BaseException as error:  # handed to the consumer, who raises it
            self._put(out, _Failure(error))
        self._put(out, _End())
        return True

    def _put(self, out: _Out[Item], item: Item | _Failure | _End) -> None:
        taken = self._budget.taken()
        while not self.closed.is_set():
            try:
                out.put((item, taken), timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue
        raise _Closed
