"""What is said where this process ends past all of Python, as Ray ends it where its own process on this machine is
lost."""

from __future__ import annotations

import contextlib
import subprocess
import sys

_WAITING = "import sys; sys.stdin.buffer.read() or print(sys.argv[1], file=sys.stderr, flush=True)"


class LastWords:
    """A sentence that another process says on stderr when this one ends, unless it was taken back."""

    def __init__(self, sentence: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WAITING, sentence],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process alone
        )

    def take_back(self) -> None:
        """End the other process, which then says nothing."""
        with contextlib.suppress(BrokenPipeError):  # it was killed
            self._process.communicate(b"ends well")
