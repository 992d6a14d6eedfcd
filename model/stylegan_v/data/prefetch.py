"""Work that threads do ahead of its consumer, on tasks that may have no end. Results are handed over in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class StoppedError(Exception):
    """Nobody waits for this result any more."""


class Stop:
    """Tells work that nobody waits for its result any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """Raise StoppedError once the consumer has left. Long work calls this now and then."""
        if self._event.is_set():
            raise StoppedError


def run_ahead(
    tasks: Iterable[Task], work: Callable[[Task, Stop], Result], *, workers: int, ahead: int
) -> Generator[Result, None, None]:
    """Yield the result of `work` on each task, in order. At most `ahead` tasks are begun before they are asked for.

    An exception in `work` is raised here, at the place of its task. When the generator is closed or interrupted, work
    that has not begun is dropped. Work that has begun is waited for until it next checks its `Stop`.
    """
    stop = Stop()
    pool = ThreadPoolExecutor(workers)
    begun: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            begun.append(pool.submit(work, task, stop))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
