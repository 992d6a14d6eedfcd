"""Writing the files that a user asked for. Whenever the process ends, each file is either whole or as it was before.

A symbolic link stays, and the file that it leads to is written. What is not a regular file, such as a device, a pipe or
an open descriptor like /dev/stdout, is written into and never replaced. Several processes may write one file at once,
and the last one to finish wins. An existing file keeps its permissions, and a new one gets those of the umask. What a
killed process leaves beside a file is removed when that is written again; if it was a process of another machine, when
that is written a day later.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import itertools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

from fvd_bench.paths import user_path

_MOST_LINKS = 40
"""Links that are followed, as many as Linux follows."""

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}

_NAME_LENGTH = 40
"""Characters of a file's name that its partial file takes over, so that the name of that one does not become too
long."""

_ENDING_LENGTH = len("0123456789abcdef.part")
"""Characters that follow these in the name of a partial file."""

_ABANDONED_SECONDS = 24 * 3600
"""A partial file that nobody has written to for so long is that of a process that was killed, wherever that was."""

Destination = Path | int
"""A path that is not a symbolic link, or the number of an open descriptor."""


def destination(file: Path) -> Destination:
    """Return where writing a file leads. Raises OSError where its links lead in a circle."""
    place = user_path(file).absolute()
    for _ in range(_MOST_LINKS):
        if str(place) in _STANDARD:
            return _STANDARD[str(place)]
        if str(place.parent) in ("/dev/fd", "/proc/self/fd", f"/proc/{os.getpid()}/fd") and place.name.isdecimal():
            return int(place.name)
        if not place.is_symlink():
            return place
        place = place.parent / place.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(file))


def check_writable(file: Path) -> None:
    """Raise OSError where a file cannot be written, as far as that can be told without writing it."""
    place = destination(file)
    if isinstance(place, int):
        os.fstat(place)
        return
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not place.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place.parent))
    needed = [place] if place.exists() else []
    if _is_replaced(place):
        needed.append(place.parent)
    if not all(os.access(path, os.W_OK) for path in needed):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


@contextlib.contextmanager
def partial_file(file: Path) -> Iterator[Path]:
    """Yield a path to write a file to. When the block ends, what was written there becomes the file.

    After a failure nothing is left at the path. Raises OSError.
    """
    place = destination(file)
    if isinstance(place, Path) and _is_replaced(place):
        _remove_abandoned(place)
        partial = _partial(place)
        try:
            yield partial
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(place, partial)
            partial.replace(place)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return
    with tempfile.TemporaryDirectory(prefix="fvd-bench-") as folder:
        partial = Path(folder) / "partial"
        yield partial
        with partial.open("rb") as whole, _opened(place) as out:
            shutil.copyfileobj(whole, out)


@contextlib.contextmanager
def partial_folder(file: Path) -> Iterator[Path]:
    """Yield a new, hidden folder beside a file, of which nothing is left when the block ends. Raises OSError."""
    _remove_abandoned(file)
    folder = _partial(file)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_bytes(file: Path, data: bytes) -> None:
    """Write a file. Raises OSError."""
    with partial_file(file) as partial:
        partial.write_bytes(data)


def write_text(file: Path, text: str) -> None:
    """Write a file in UTF-8. Raises OSError."""
    write_bytes(file, text.encode("utf-8"))


def append_text(file: Path, text: str) -> None:
    """Add to the end of a file in UTF-8. Raises OSError."""
    with _opened(destination(file), mode="ab") as out:
        out.write(text.encode("utf-8"))


def _partial(place: Path) -> Path:
    """Return a path beside a file that no other process takes, and that says which process takes it."""
    process = f"{_here() or os.urandom(3).hex()}{os.getpid():06x}{next(_NUMBERS) % 2**16:04x}"
    return place.with_name(f".{place.name[:_NAME_LENGTH]}.{process}.part")


_NUMBERS = itertools.count()


@functools.cache
def _here() -> str | None:
    """Return six digits of the processes among which numbers mean the same: of one container, since the system began.
    None where the system does not say."""
    try:
        system, container = Path("/proc/sys/kernel/random/boot_id").read_text(), Path("/proc/self/ns/pid").readlink()
    except OSError:
        return None
    return hashlib.sha256(f"{system} {container}".encode()).hexdigest()[:6]


def _is_abandoned(partial: Path) -> bool:
    """Return whether the process that took a path has ended, as far as that can be told. Raises OSError."""
    process = partial.name[-_ENDING_LENGTH:]
    if process[:6] == _here() and not _runs(int(process[6:12], 16)):
        return True
    inside = partial.iterdir() if partial.is_dir() else ()
    written: float = max(path.stat().st_mtime for path in (partial, *inside))
    return time.time() - written > _ABANDONED_SECONDS


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _remove_abandoned(place: Path) -> None:
    """Remove the partial files and folders that killed processes left of a file."""
    start = f".{place.name[:_NAME_LENGTH]}."
    for partial in _partial_files(place.parent):
        if partial.name.startswith(start) and len(partial.name) == len(start) + _ENDING_LENGTH:
            with contextlib.suppress(OSError):  # such as where another process removes it at the same time
                if _is_abandoned(partial):
                    shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


@functools.lru_cache(maxsize=16)
def _partial_files(folder: Path) -> tuple[Path, ...]:
    """Return the partial files and folders that are in a folder when this process first writes there. A look before
    every write would make many files in one folder slow."""
    return tuple(folder.glob(f".*.{16 * '[0-9a-f]'}.part"))


def _is_replaced(place: Path) -> bool:
    """Return whether a new file may replace what is there, or nothing is there."""
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except FileNotFoundError:
        return True


def _opened(place: Destination, mode: Literal["wb", "ab"] = "wb") -> IO[bytes]:
    """Open what is written into or appended to. A descriptor is duplicated, so that both share one position."""
    return os.fdopen(os.dup(place), mode) if isinstance(place, int) else place.open(mode)
