"""Programs in processes of their own, forked from one that has both packages loaded: they start at once.

What a program imports, and how it starts, are tested with a Python of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import pty
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

import torch

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "fvd_bench.evaluation.evaluation",
        "fvd_bench.networks.extractor",
        "fvd_bench.networks.i3d_network",
        "scipy.linalg",
        "stylegan_v.training.loop",
        "torch._dynamo",  # which the first optimiser of a process loads, in three seconds
    ]
)


class Program:
    """A running Python program of one thread. Its output goes to files, which `end` reads."""

    def __init__(self, *arguments: object, env: Mapping[str, str] = os.environ, cwd: Path | None = None) -> None:
        """arguments: what would follow `python`: `-m MODULE …` or `-c PROGRAM …`."""
        self._arguments = list(map(str, arguments))
        self._outputs = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115, `end` closes them
        self._process = _started(self._arguments, [output.fileno() for output in self._outputs], env, cwd)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Wait for the end of the program. It must come within `timeout` seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self._arguments, timeout)
        texts = []
        for output in self._outputs:
            output.seek(0)
            texts.append(output.read())
            output.close()
        return subprocess.CompletedProcess(self._arguments, self._process.exitcode, *texts)


def ranks(count: int, *arguments: object) -> list[subprocess.CompletedProcess[str]]:
    """Run a program in several processes that are told of each other as torchrun does it, but start at once.

    arguments: as for `Program`.
    """
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    shared = {"WORLD_SIZE": f"{count}", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    each = [{**os.environ, **shared, "RANK": f"{rank}", "LOCAL_RANK": f"{rank}"} for rank in range(count)]
    running = [Program(*arguments, env=environment) for environment in each]
    return [program.end() for program in running]


def in_terminal(columns: int, *arguments: object, env: Mapping[str, str] = os.environ) -> tuple[int, str]:
    """Run a program in a terminal of its own of some columns. Returns its exit code and all that it wrote there.

    arguments: as for `Program`.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    without = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm"}
    process = _started(list(map(str, arguments)), [theirs, theirs], without, None)
    os.close(theirs)
    written = b""
    with open(ours, "rb", buffering=0) as screen, contextlib.suppress(OSError):  # noqa: PTH123, EIO is its end
        while part := screen.read(2**16):
            written += part
    process.join(240)
    assert process.exitcode is not None
    return process.exitcode, written.decode().replace("\r\n", "\n")


def _started(
    arguments: list[str], outputs: list[int], env: Mapping[str, str], cwd: Path | None
) -> multiprocessing.context.ForkServerProcess:
    """Start a process that becomes `python ARGUMENTS`. outputs: descriptors of its stdout and its stderr."""
    place = os.fspath(cwd or Path.cwd())
    process = _SERVER.Process(target=_run, args=(arguments, [DupFd(output) for output in outputs], dict(env), place))
    process.start()
    return process


def _run(arguments: list[str], streams: list[Any], environment: dict[str, str], place: str) -> None:
    """Become `python ARGUMENTS`, in the forked process."""
    torch.set_num_threads(1)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream.detach(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    kind, program, *rest = arguments
    if kind == "-m":
        sys.argv = [program, *rest]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *rest]
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
