"""A lock on a folder or a file, so that one process at a time works in it, or several that share it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from fvd_bench.errors import cause
from stylegan_v.errors import ModelError

_LOOK_AGAIN_SECONDS = 0.01


@contextlib.contextmanager
def locked(place: Path, refusal: ModelError, *, shared: bool = False, patience: float = 0.0) -> Iterator[bool]:
    """Lock a folder or a file, which exists, for the block. Yield False where the file system has no such locks.

    shared: whether others may lock it too that share it. patience: seconds to wait for those that do not.
    Raises the refusal where another block or process keeps it locked, and one of its kind where it cannot be read.
    """
    try:
        held = os.open(place, os.O_RDONLY)
    except OSError as error:
        raise type(refusal)(f"{place} cannot be read: {cause(error)}") from error
    try:
        yield _hold(held, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, refusal, time.monotonic() + patience)
    finally:
        os.close(held)


def _hold(descriptor: int, kind: int, refusal: ModelError, until: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                raise refusal from None
        except OSError:  # such as of NFS, whose folders cannot be held
            return False
        time.sleep(_LOOK_AGAIN_SECONDS)
