"""Stdout and stderr as every command has them: they may be closed, full, or of few characters.

A failure of stdout ends the command with a message, once what else was asked for has been written; one of stderr ends
nothing, since there is nowhere to tell it. Characters that a stream's encoding has not are spelled in those it has,
and control characters are shown rather than obeyed.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from fvd_bench.errors import OutputError
from fvd_bench.escapes import escaped_lines

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SPELLED = {
    "↓": "v", "↑": "^", "→": "->", "–": "-", "—": "-", "…": "...", "×": "x", "±": "+-", "·": "-", "√": "sqrt",
}  # fmt: skip
"""In ASCII, those that our own texts have; others are escaped."""

_FALLBACK = "fvd-bench-spelled"


class ClosedPipeError(BrokenPipeError):
    """Whoever read stdout has stopped, as `head` does."""


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Make sys.stdout and sys.stderr what the head of this file says."""
    _open_closed_ones()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _wrapped(sys.stdout, _Out), _wrapped(sys.stderr, _Err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def plain(stream: TextIO) -> TextIO:
    """The same stream for one who writes control characters on purpose, and escapes those of others."""
    return stream.plain if isinstance(stream, _Escaping) else stream


class _Out(io.FileIO):
    """A file whose first failure is told, and that takes anything afterwards."""

    has_failed = False

    def write(self, data: ReadableBuffer) -> int:
        if not self.has_failed:
            try:
                while (written := super().write(data)) is None:
                    select.select([], [self], [])  # it does not block, so this waits
                return written
            except OSError as error:
                self.has_failed = True
                self._tell(error)
        return memoryview(data).nbytes

    def _tell(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise ClosedPipeError from error
        raise OutputError(f"stdout cannot be written: {error.strerror}") from error


class _Err(_Out):
    def _tell(self, error: OSError) -> None:
        pass


class _Escaping(io.TextIOWrapper):
    """plain: another text stream to the same place."""

    plain: TextIO

    def write(self, text: str) -> int:
        super().write(escaped_lines(text))
        return len(text)


def _wrapped(stream: TextIO, kind: type[_Out]) -> TextIO:
    """The stream over a file of a kind, where it is a file; those that tests and other programs put there are kept."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # Python has no buffer between where PYTHONUNBUFFERED is set
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO:
        return stream
    stream.flush()
    checked = io.BufferedWriter(kind(raw.fileno(), "wb", closefd=False))
    lines = stream.line_buffering
    wrapped = _Escaping(checked, stream.encoding, _FALLBACK, line_buffering=lines, write_through=True)
    wrapped.plain = io.TextIOWrapper(checked, stream.encoding, _FALLBACK, line_buffering=lines, write_through=True)
    return wrapped


def _open_closed_ones() -> None:
    """A file that is opened later must not be taken for a stream that was closed before the start."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free, so this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    spelled = (_SPELLED.get(character) or character.encode("ascii", "backslashreplace").decode() for character in text)
    return "".join(spelled), error.end


codecs.register_error(_FALLBACK, _spelled)
