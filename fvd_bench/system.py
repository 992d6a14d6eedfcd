"""The systems that this package runs on."""

import os

from fvd_bench.errors import FvdBenchError


def check_system() -> None:
    """Raise FvdBenchError on a system that is not POSIX, since archives are read by calls that only POSIX has."""
    if os.name != "posix":
        raise FvdBenchError(
            f"this is a system of the kind {os.name!r}: fvd-bench needs a POSIX system, such as Linux or macOS; on "
            "Windows, install it inside WSL, the Windows Subsystem for Linux"
        )
