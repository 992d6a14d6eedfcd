"""A lock on a folder, so that one process at a time works in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from fvd_bench.errors import cause
from stylegan_v.errors import ModelError


@contextlib.contextmanager
def locked(folder: Path, refusal: ModelError) -> Iterator[None]:
    """Hold a folder, which is there, for this process, where the file system has locks of folders.

    Raises the refusal where another process holds it, and one of its kind where the folder cannot be read.
    """
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise type(refusal)(f"{folder} cannot be read: {cause(error)}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise refusal from None
    except OSError:  # such as of NFS, whose folders cannot be held
        pass
    try:
        yield
    finally:
        os.close(held)
