"""Ctrl-C while a command line is still loading its modules, before it can answer in its own way."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as of shells: 128 and the number of the signal."""


@contextlib.contextmanager
def ended_in_a_line(name: str) -> Iterator[None]:
    """Let Ctrl-C end the process at once with one line on stderr, in place of a traceback from the middle of an import.

    name: of the program. Nothing may be open that has to be closed. Where Ctrl-C is ignored, as in the background of
    a script, it stays ignored.
    """

    def end(number: int, frame: object) -> None:
        with contextlib.suppress(OSError):  # stderr may be closed
            os.write(2, f"{name}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
