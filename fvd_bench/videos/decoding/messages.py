"""Messages between two processes: a line of JSON, then the bytes that it announces. Nothing in a message is
executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Bytes = bytes | memoryview
Part = NDArray[np.uint8]

_LONGEST_LINE = 2**16


class MessageError(Exception):
    """What was read is not a message, or not a whole one."""


def write_message(file: BinaryIO, head: Mapping[str, Any], *parts: Bytes) -> None:
    """Write a message. Raises OSError.

    head: JSON values under any names but `sizes`. parts: the bytes that follow it.
    """
    sizes = [memoryview(part).nbytes for part in parts]
    file.write(json.dumps({**head, "sizes": sizes}).encode("ascii") + b"\n")
    for part in parts:
        file.write(part)
    file.flush()


def read_message(file: BinaryIO, *, most_bytes: int | None = None) -> tuple[dict[str, Any], list[Part]]:
    """Return the head of the next message, and its parts.

    most_bytes: the limit for all parts together. None for no limit.
    Raises EOFError at the end of the file, MessageError, OSError.
    """
    line = file.readline(_LONGEST_LINE)
    if not line:
        raise EOFError
    try:
        head = json.loads(line)
        sizes = head.pop("sizes")
        whole = line.endswith(b"\n") and all(type(size) is int and size >= 0 for size in sizes)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MessageError(f"{line[:60]!r} is no message") from error
    if not whole or (most_bytes is not None and sum(sizes) > most_bytes):
        raise MessageError(f"{line[:60]!r} is no message that is expected here")
    return head, [_read(file, size) for size in sizes]


def _read(file: BinaryIO, size: int) -> Part:
    part = np.empty(size, dtype=np.uint8)  # a bytearray would be filled with zeros first
    view = part.data
    while view:
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]
    return part
