"""What needs more memory than the machine has, told before it is tried."""

from __future__ import annotations

from fvd_bench.system import memory_bytes
from stylegan_v.errors import ConfigError


def frame_bytes(resolution: int) -> int:
    """Return how many bytes a frame takes, uint8 [R, R, 3]."""
    return 3 * resolution**2


def check_memory(asked: str, needed: int) -> None:
    """Raise ConfigError where the bytes that are certainly needed are more than the memory of this machine.

    asked: what needs them, such as `batch = 1000000`.
    """
    if needed > memory_bytes():
        raise ConfigError(
            f"{asked} takes {needed / 2**30:,.0f} GiB of memory at the very least, and this machine has "
            f"{memory_bytes() / 2**30:,.0f}: ask for less"
        )
