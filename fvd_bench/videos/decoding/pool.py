"""The decoding processes, seen from the process that asks: they are started when needed, watched, and ended.

`__main__` is the other end. All values that come from there are checked and never executed, because a process that
decodes untrusted files made them.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.process import Decoder, LostDecoderError

_TICKS_PER_SILENCE = 60

_IDLE_SECONDS = 30.0
"""A process that nobody used for this long is ended. The frames that it holds go with it."""


class Decoders:
    """Lends processes to threads. There are never more than are used at the same time, and a few idle ones."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._begin()

    @contextlib.contextmanager
    def lend(self, video: int) -> Iterator[Decoder]:
        """Lend a process for as long as it takes to answer one question about a video. Raises DecoderError.

        video: the number of the video.
        """
        decoder = self._take(video)
        try:
            yield decoder
        finally:
            self._returned.append(decoder)  # without a lock, since the garbage collector may close a generator

    def processes(self) -> list[int]:
        """Return the process numbers of all decoders that run."""
        with self._lock:
            return [decoder.pid for decoder in self._all if decoder.runs()]

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            for decoder in self._all:
                decoder.end()
            self._all.clear()
            self._idle.clear()

    def forget(self) -> None:
        """Start afresh after a fork: the processes belong to the parent, and must not wait for the child's end."""
        for decoder in self._all:
            decoder.let_go()
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Decoder] = []
        self._idle: list[Decoder] = []
        self._returned: collections.deque[Decoder] = collections.deque()
        self._watched = False

    def _take(self, video: int) -> Decoder:
        thread = threading.get_ident()
        running = {other.ident for other in threading.enumerate()}
        with self._lock:
            self._sort_out()
            chosen = next((d for d in self._idle if d.video == video), None)
            # A process that holds another thread's video is left to that thread, which will soon ask for its frames.
            chosen = chosen or next((d for d in self._idle if d.thread == thread), None)
            chosen = chosen or next((d for d in self._idle if not d.holding or d.thread not in running), None)
            if chosen is None:
                chosen = self._start()
            else:
                self._idle.remove(chosen)
        chosen.thread = thread
        return chosen

    def _start(self) -> Decoder:
        decoder = Decoder(self.limits)
        self._all.append(decoder)
        if not self._watched:
            self._watched = True
            threading.Thread(target=self._watch, daemon=True, name="decoders").start()
        return decoder

    def _sort_out(self) -> None:
        """Take in the processes that were returned, and drop those that have ended."""
        while self._returned:
            decoder = self._returned.popleft()
            decoder.idle_since = time.monotonic()
            self._idle.append(decoder)
        ended = [decoder for decoder in self._idle if not decoder.runs()]
        for decoder in ended:
            decoder.end()
        self._idle = [decoder for decoder in self._idle if decoder not in ended]
        self._all = [decoder for decoder in self._all if decoder not in ended]

    def _watch(self) -> None:
        """End processes that hang, and those that nobody uses. This runs in a thread while there are processes."""
        seconds = self.limits.silence_seconds / _TICKS_PER_SILENCE
        while True:
            time.sleep(seconds)
            with self._lock:
                self._sort_out()
                for decoder in self._all:
                    decoder.tick(seconds)
                for decoder in self._idle:
                    if time.monotonic() - decoder.idle_since > _IDLE_SECONDS:
                        decoder.end()
                if not self._all:
                    self._watched = False
                    return


class Reading:
    """What one video asks of the decoding processes.

    number: the number by which they know the video.
    decoded: frames that were decoded so far, including those that are not used.
    """

    def __init__(self, decoders: Decoders) -> None:
        self.number = next(_NUMBERS)
        self.decoded = 0
        self._decoders = decoders
        self._gone: LostDecoderError | None = None

    @contextlib.contextmanager
    def decoder(self) -> Iterator[Decoder]:
        """Lend a process for one question. After a process was lost, no other is lent. Raises VideoError,
        DecoderError."""
        if self._gone is not None:
            raise VideoError(str(self._gone))  # the video would hang or crash the next process as well
        with self._decoders.lend(self.number) as decoder:
            try:
                yield decoder
            except LostDecoderError as error:
                self._gone = error
                raise
            finally:
                self.decoded += decoder.decoded


_NUMBERS = itertools.count()

DECODERS = Decoders()
"""The decoders of this process."""

atexit.register(DECODERS.close)
os.register_at_fork(after_in_child=DECODERS.forget)
