"""How a run is stopped by Ctrl-C or SIGTERM: it is answered at once, and the step under way is kept."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_END = 0
"""What the watcher is sent instead of the number of a signal when nothing is left to watch."""


@contextlib.contextmanager
def stoppable(answer: Callable[[bool], None]) -> Iterator[threading.Event]:
    """Set the event at the first SIGINT or SIGTERM. A second SIGINT raises KeyboardInterrupt.

    answer: called in a thread of its own as soon as a signal arrives, with whether it is the first. Python runs a
    handler only between two operations, and an operation of a large batch takes seconds; so the operating system
    writes the signal to a pipe, on which that thread waits.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    handled = seen = 0  # signals that came during one operation are handled once, and seen one by one

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal handled
        handled += 1
        stop.set()
        if number == signal.SIGINT and max(handled, seen) > 1:
            raise KeyboardInterrupt

    def watch() -> None:
        nonlocal seen
        while (number := os.read(arrived, 1)[0]) != _END:
            if number in before:
                seen += 1
                stop.set()
                answer(seen == 1)

    arrived, told = os.pipe()
    os.set_blocking(told, False)
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    fd_before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(fd_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(told, bytes([_END]))
        watcher.join()
        os.close(arrived)
        os.close(told)
