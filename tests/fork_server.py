"""Forks programs from a process that has both packages loaded: python -m tests.fork_server SOCKET.

SOCKET is the descriptor of one that listens. Each connection asks for a program: it sends the descriptors of its stdout
and its stderr, and a line of JSON with what would follow `python`, the environment and the folder. It gets the number
of the process, and later its exit code. The server ends when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import struct
import sys
import threading
import traceback
from pathlib import Path

NUMBER = struct.Struct("!i")
"""The form in which numbers are told."""

_LOADED = (
    "fvd_bench.evaluation.evaluation",
    "fvd_bench.networks.extractor",
    "fvd_bench.networks.i3d_network",
    "scipy.linalg",
    "stylegan_v.training.loop",
    "torch._dynamo",  # which the first optimiser of a process loads, in three seconds
)


def main() -> None:
    """Load all, and serve those who connect."""
    gc.disable()
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()  # so that no program goes through all of it, and copies it
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of those who asked
    listener = socket.socket(fileno=int(sys.argv[1]))
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is listener for key, _ in waiting.select()):
            with contextlib.suppress(ChildProcessError):  # there are none
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            with listener.accept()[0] as asked:
                if os.fork() == 0:
                    waiting.close()
                    listener.close()
                    _wait_for_program(asked)
    shutil.rmtree(Path(listener.getsockname()).parent)


def _wait_for_program(asked: socket.socket) -> None:
    """Start a program, and tell its end. This process does nothing else."""
    try:
        _, streams, _, _ = socket.recv_fds(asked, 1, 2)
        given = json.loads(asked.makefile().readline())
        process = os.fork()
        if process == 0:
            os.close(asked.detach())
            _become(*given, streams=streams)
        for stream in streams:
            os.close(stream)
        asked.sendall(NUMBER.pack(process))
        status = os.waitpid(process, 0)[1]
        with contextlib.suppress(BrokenPipeError):  # who asked has ended
            asked.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
    finally:
        os._exit(0)


def _become(arguments: list[str], environment: dict[str, str], place: str, *, streams: list[int]) -> None:
    """Become `python ARGUMENTS`, and end as it does."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    code = 1
    try:
        _run(*arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(kind: str, program: str, *rest: str) -> None:
    if kind == "-m":
        sys.argv = [program, *rest]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *rest]
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
