"""Programs in processes of their own, forked from one that has both packages loaded: they start at once.

What a program imports, and how it starts, are tested with a Python of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fork_server import NUMBER

ROOT = Path(__file__).parents[1]


class _Process:
    """A process that becomes `python ARGUMENTS`. outputs: descriptors of its stdout and its stderr."""

    def __init__(
        self, arguments: Sequence[str], outputs: Sequence[int], env: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        self._arguments = list(arguments)
        self._connection = _connection()
        socket.send_fds(self._connection, [b" "], outputs)
        given = [self._arguments, dict(env), os.fspath(cwd or Path.cwd())]
        self._connection.sendall(json.dumps(given).encode() + b"\n")
        self.pid = self._number()

    def is_running(self) -> bool:
        return not select.select([self._connection], [], [], 0)[0]

    def end(self, timeout: float) -> int:
        """Wait for its end, and return its exit code. Raises subprocess.TimeoutExpired, and kills it."""
        self._connection.settimeout(timeout)
        try:
            return self._number()
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(self._arguments, timeout) from None
        finally:
            self._connection.close()

    def _number(self) -> int:
        number: int = NUMBER.unpack(self._connection.recv(NUMBER.size))[0]
        return number


class Program:
    """A running Python program of one thread. Its output goes to files, which `end` reads."""

    def __init__(self, *arguments: object, env: Mapping[str, str] = os.environ, cwd: Path | None = None) -> None:
        """arguments: what would follow `python`: `-m MODULE …` or `-c PROGRAM …`."""
        self._arguments = list(map(str, arguments))
        self._outputs = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115, `end` closes them
        self._process = _Process(self._arguments, [output.fileno() for output in self._outputs], env, cwd)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.is_running()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Wait for the end of the program. It must come within `timeout` seconds."""
        code = self._process.end(timeout)
        texts = []
        for output in self._outputs:
            output.seek(0)
            texts.append(output.read())
            output.close()
        return subprocess.CompletedProcess(self._arguments, code, *texts)


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
    process = _Process([*map(str, arguments)], [theirs, theirs], without)
    os.close(theirs)
    written = b""
    with open(ours, "rb", buffering=0) as screen, contextlib.suppress(OSError):  # noqa: PTH123, EIO is its end
        while part := screen.read(2**16):
            written += part
    return process.end(240), written.decode().replace("\r\n", "\n")


def _connection() -> socket.socket:
    """A connection to the server of this run of the tests, which the first process of them that needs it starts."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
    folder = Path(tempfile.gettempdir()) / f"fvd-bench-{run[:16]}"  # since systems take addresses of 104 bytes at most
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(folder / "socket"))
        except (FileNotFoundError, ConnectionRefusedError):
            _start_server(folder / "socket")
            connection.connect(str(folder / "socket"))
    return connection


def _start_server(place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)  # of one that has ended
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(128)
        command = [sys.executable, "-m", "tests.fork_server", f"{listener.fileno()}"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, pass_fds=[listener.fileno()])
    atexit.register(_end_server, server)


def _end_server(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin
    server.stdin.close()
    server.wait()
