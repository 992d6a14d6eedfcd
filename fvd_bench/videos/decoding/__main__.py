"""The decoding process: `python -m fvd_bench.videos.decoding` serves requests until its standard input is closed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import resource
import signal
import sys
import threading
from typing import BinaryIO

from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.messages import MessageError, read_message
from fvd_bench.videos.decoding.server import DecodingServer, Request

_PIPE_BYTES = 2**20


def _listen(requests: queue.SimpleQueue[Request]) -> None:
    """Read requests in a thread, so that the process ends with the one that asked, even in the middle of a video."""
    try:
        while True:
            requests.put(read_message(sys.stdin.buffer))
    except EOFError:
        os._exit(0)
    except (MessageError, OSError, MemoryError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _limit_memory(most_bytes: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _widen(pipe: BinaryIO) -> None:
    """Let whole frames into a pipe where the system can, so that the processes need not take turns within each
    frame."""
    with contextlib.suppress(AttributeError, OSError):  # only Linux can
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def main() -> None:
    """Serve requests. The one argument of the command is the limits as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches the process that asked, which closes the pipe
    limits = Limits(**json.loads(sys.argv[1]))
    _limit_memory(limits.memory_bytes)
    answers = os.fdopen(os.dup(1), "wb")
    _widen(answers)
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    server = DecodingServer(answers, limits)
    server.tell_alive()
    while True:
        server.serve(requests.get())


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
