"""Files of models, as far as they can be told from others without torch, which takes seconds to load."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fvd_bench.errors import cause
from fvd_bench.paths import user_path
from fvd_bench.videos.files import regular_file
from stylegan_v.errors import CheckpointError

LAST = "checkpoint.pt"
"""In the folder of a run, the name of the file with its last state."""

BEST = "best.pt"
"""The name of the file with the generator of its best score."""

_ZIP = b"PK\x03\x04"


@contextlib.contextmanager
def opened(file: str | Path) -> Iterator[IO[bytes]]:
    """Open a file to read it. Raises CheckpointError when that cannot be done, also while it is read."""
    file = user_path(file)
    try:
        regular_file(file)
        with file.open("rb") as stream:
            yield stream
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {cause(error)}") from error


def check_readable(file: str | Path) -> None:
    """Raise CheckpointError when a file cannot be read."""
    with opened(file):
        pass


def check_checkpoint(file: str | Path) -> None:
    """Raise CheckpointError when a file cannot be read, or begins as no checkpoint does."""
    with opened(file) as stream:
        check_beginning(stream, str(user_path(file)))


def check_beginning(stream: IO[bytes], name: str) -> None:
    """Raise CheckpointError when a stream begins as no checkpoint does. name: what to call it."""
    is_zip = stream.read(len(_ZIP)) == _ZIP
    stream.seek(0)
    if not is_zip:
        raise CheckpointError(
            f"{name} is no checkpoint of stylegan-v. Checkpoints of the official code are pickles that run code: "
            "export their tensors and use `stylegan-v import`"
        )
