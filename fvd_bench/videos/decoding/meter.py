"""What one request to the decoding process costs: it is given up where that is too much."""

from __future__ import annotations

import time
from collections.abc import Callable

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding.limits import Limits

_ALIVE_SECONDS = 0.2


class Meter:
    """What one request has cost. alive: called now and then. decoded: frames, those skipped included."""

    def __init__(self, limits: Limits, alive: Callable[[], None]) -> None:
        self._limits = limits
        self._alive = alive
        self._began = time.process_time()
        self._told = time.monotonic()
        self.decoded = 0

    def packet_done(self) -> None:
        """Raises VideoError when a video takes too long."""
        if time.process_time() - self._began > self._limits.decode_seconds:
            raise VideoError(
                f"is not decoded after {self._limits.decode_seconds:g} seconds of processor time and {self.decoded:,} "
                "frames: cut it into shorter videos"
            )
        if time.monotonic() - self._told > _ALIVE_SECONDS:
            self._told = time.monotonic()
            self._alive()
