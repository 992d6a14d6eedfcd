"""Files of arrays with a head, the form of statistics and of moments: nothing in them is run, whatever they hold.

Each is an uncompressed .npz archive, one member of which holds a JSON text that says what the others are.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.atomic import partial_file
from fvd_bench.errors import ProtocolError, SourceError, cause
from fvd_bench.records import fault
from fvd_bench.videos.files import regular_file

DAMAGED = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError,
    NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, ProtocolError,
)  # fmt: skip
"""What may be raised by reading a file that is damaged, or not ours."""


def is_one(path: Path, name: str) -> bool:
    """Return whether a file is one whose head has this name."""
    try:
        regular_file(path)
        with zipfile.ZipFile(path) as archive:
            return f"{name}.npy" in archive.namelist()
    except DAMAGED:
        return False


def read(path: Path, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the head of a file and its arrays. None of them may claim to be larger than the file is.

    Raises an error of DAMAGED for a file that is not of this form.
    """
    regular_file(path)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("its members are compressed, and those of a statistics file are not")
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise ValueError("its members are larger together than the file")
        if len({info.filename for info in infos}) < len(infos):
            raise ValueError("two of its members have one name")
    with np.load(path, allow_pickle=False) as members:
        arrays = {member: members[member] for member in members.files}
    head: dict[str, Any] = json.loads(arrays.pop(name).tobytes())
    return head, arrays


def refusal(path: Path, what: str, error: Exception, *, again: str) -> SourceError:
    """Return the error for a file that `read` did not take. what: that it should be. again: the command that makes one.

    A file that the system does not let read, or that is a pipe, is none to make again.
    """
    advice = "" if isinstance(error, OSError) else f"; make it again with `{again}`"
    reason = fault(error) if isinstance(error, KeyError) else cause(error)
    return SourceError(f"{path} cannot be read as {what}: {reason}{advice}")


def write(file: Path, name: str, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file whose head has this name, whole or not at all. Raises SourceError."""
    text = json.dumps(head, allow_nan=False)
    named: dict[str, Any] = {name: np.frombuffer(text.encode("ascii"), np.uint8), **arrays}
    try:
        with partial_file(file) as partial, partial.open("wb") as out:
            np.savez(out, **named)  # before NumPy 2.1 `allow_pickle` would be an array of that name
    except OSError as error:
        raise SourceError(f"{file} cannot be written: {cause(error)}") from error
