"""Stdout and stderr as every command has them. They may be closed or full, or their encoding may have few characters.

A failure of stdout ends the command with a message, once everything else that was asked for has been written. A failure
of stderr ends nothing, since there is nowhere to report it. Characters that the encoding of a stream lacks are spelled
in those that it has. Control characters are shown rather than obeyed.
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

from fvd_bench.errors import OutputError, cause
from fvd_bench.escapes import escaped_lines

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SPELLED = {
    "↓": "v", "↑": "^", "→": "->", "–": "-", "—": "-", "…": "...", "×": "x", "±": "+-", "·": "-", "√": "sqrt", "─": "-",
}  # fmt: skip
"""How to write the special characters of our own texts in ASCII. Other characters are escaped."""

_FALLBACK = "fvd-bench-spelled"


class ClosedPipeError(BrokenPipeError):
    """The reader of stdout has stopped, as `head` does."""


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Give sys.stdout and sys.stderr the behaviour that the head of this file describes."""
    _open_closed_ones()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _wrapped(sys.stdout, _Out), _wrapped(sys.stderr, _Err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def plain(stream: TextIO) -> TextIO:
    """Return the same stream for callers that write control characters on purpose and escape those of others."""
    return stream.plain if isinstance(stream, _Escaping) else stream


class _Out(io.FileIO):
    """A file that reports its first failure, and accepts and drops everything after it."""

    has_failed = False

    def write(self, data: ReadableBuffer) -> int:
        if not self.has_failed:
            try:
                while (written := super().write(data)) is None:
                    select.select([], [self], [])  # waits, since the file is non-blocking
                return written
            except OSError as error:
                self.has_failed = True
                self._tell(error)
        return memoryview(data).nbytes

    def _tell(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise ClosedPipeError from error
        raise OutputError(f"stdout cannot be written: {cause(error)}") from error


class _Err(_Out):
    def _tell(self, error: OSError) -> None:
        pass


class _Escaping(io.TextIOWrapper):
    """A text stream that escapes control characters. plain: another stream to the same place, which does not."""

    plain: TextIO

    def write(self, text: str) -> int:
        super().write(escaped_lines(text))
        return len(text)


def _wrapped(stream: TextIO, kind: type[_Out]) -> TextIO:
    """Put the stream over a file of the given kind if it is a file. Streams of tests and other programs are kept."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED, Python puts no buffer between
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO:
        return stream
    stream.flush()
    checked = io.BufferedWriter(kind(raw.fileno(), "wb", closefd=False))
    lines = stream.line_buffering
    wrapped = _Escaping(checked, stream.encoding, _FALLBACK, line_buffering=lines, write_through=True)
    wrapped.plain = io.TextIOWrapper(checked, stream.encoding, _FALLBACK, line_buffering=lines, write_through=True)
    return wrapped


def _open_closed_ones() -> None:
    """Open streams that were closed before the start, so that no file opened later is taken for one of them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number, so this one
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
