"""The cost of one request to the decoding process, which is given up where it costs too much."""

from __future__ import annotations

import time
from collections.abc import Callable

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding.limits import Limits

_ALIVE_SECONDS = 0.2


class Meter:
    """What one request has cost so far.

    alive: called now and then, as a sign of life.
    decoded: number of decoded frames, including those that are not used.
    """

    def __init__(self, limits: Limits, alive: Callable[[], None]) -> None:
        self._limits = limits
        self._alive = alive
        self._began = time.process_time()
        self._told = time.monotonic()
        self.decoded = 0

    def packet_done(self) -> None:
        """Count one packet. Raises VideoError when the video takes too long."""
        if time.process_time() - self._began > self._limits.decode_seconds:
            raise VideoError(
                f"is not decoded after {self._limits.decode_seconds:g} seconds of processor time and {self.decoded:,} "
                "frames: cut it into shorter videos"
            )
        if time.monotonic() - self._told > _ALIVE_SECONDS:
            self._told = time.monotonic()
            self._alive()
