"""A video file, frame-exact, decoded by FFmpeg in a process of its own.

Length is the number of frames that decode, never what a header says. Rotation tags are applied, alpha is
dropped, grey becomes RGB, and frames of variable rate come in the order of presentation. Colours are
converted by FFmpeg's swscale as the stream's own tags say.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePath

from fvd_bench.decoder import Decoder, LostDecoderError
from fvd_bench.decoders import DECODERS, Decoders
from fvd_bench.errors import VideoError
from fvd_bench.files import DISK, Files, sha256_of, state_of
from fvd_bench.header import Probe, Track
from fvd_bench.sampling import Indices
from fvd_bench.video import Frame

_NUMBERS = itertools.count()


class VideoFile:
    """A video file. path: in `files`; decoders: where it is decoded.

    decoded: frames that were decoded for it so far, those skipped included.
    """

    def __init__(self, path: PurePath, files: Files = DISK, *, decoders: Decoders = DECODERS) -> None:
        self.path = path
        self.decoded = 0
        self._files = files
        self._decoders = decoders
        self._number = next(_NUMBERS)
        self._index = b""
        self._gone: LostDecoderError | None = None

    @cached_property
    def num_frames(self) -> int:
        """Frames that decode, counted by decoding. Raises VideoError."""
        with self._decoder() as decoder:
            count = decoder.count(self._number, self._source())
        self._index = count.index
        return count.frames

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """The frames of ascending, distinct indices. Raises ShortVideoError when they run out, VideoError.

        Once they are counted, those far from the first are sought.
        """
        with self._decoder() as decoder:
            source = None if decoder.holds(self._number) else self._source()
            yield from decoder.frames(self._number, source, indices, self._index)

    def probe(self) -> Probe:
        """What its header says, some milliseconds' work. Raises VideoError."""
        with self._decoder() as decoder:
            return decoder.probe(self._number, self._source())

    def track(self) -> Track:
        """What its packets promise; all are read, none is decoded. Raises VideoError."""
        with self._decoder() as decoder:
            return decoder.track(self._number, self._source())

    def content(self) -> str:
        return sha256_of(self._files, self.path)

    def state(self) -> str:
        return state_of(self._files, [self.path])

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        if self._gone is not None:
            raise VideoError(str(self._gone))  # it would hang or crash the next one as well
        with self._decoders.lend(self._number) as decoder:
            try:
                yield decoder
            except LostDecoderError as error:
                self._gone = error
                raise
            finally:
                self.decoded += decoder.decoded

    def _source(self) -> str | io.BytesIO:
        try:
            return self._files.source(self.path)
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror or error}") from error
