"""What this package has to have around it: a POSIX system, a folder to run in, and memory."""

import os
from pathlib import Path

from fvd_bench.errors import FvdBenchError


def check_system() -> None:
    """Raise FvdBenchError on a system that is not POSIX, since archives are read by calls that only POSIX has."""
    if os.name != "posix":
        raise FvdBenchError(
            f"this is a system of the kind {os.name!r}: fvd-bench needs a POSIX system, such as Linux or macOS; on "
            "Windows, install it inside WSL, the Windows Subsystem for Linux"
        )


def check_folder() -> None:
    """Raise FvdBenchError where the current folder was deleted, to which paths are relative."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise FvdBenchError("the current folder was deleted: change into one that is there") from error


def memory_bytes() -> int:
    """Return how many bytes of memory this machine has. What alone needs more than this is impossible here."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
