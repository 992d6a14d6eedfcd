"""A file that holds one video, frame-exact, decoded in a process of its own.

Length is the number of frames that decode, never what a header says. FFmpeg decodes video files: frames of variable
rate come in the order of presentation, and colours are converted by its swscale as the stream's own tags say. Pillow
decodes image files that hold several images: animated WebP and PNG, TIFF of several pages.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePath

from fvd_bench.errors import DecoderError, VideoError
from fvd_bench.videos.decoding.pool import DECODERS, Decoders, Reading
from fvd_bench.videos.decoding.process import Decoder, Source
from fvd_bench.videos.files import DISK, Files, is_image, sha256_of, state_of
from fvd_bench.videos.header import Probe, Track
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame


class VideoFile:
    """A video file. path: in `files`; decoders: where it is decoded."""

    def __init__(self, path: PurePath, files: Files = DISK, *, decoders: Decoders = DECODERS) -> None:
        self.path = path
        self._files = files
        self._reading = Reading(decoders)
        self._index = b""

    @property
    def decoded(self) -> int:
        """Frames that were decoded for it so far, those skipped included."""
        return self._reading.decoded

    @cached_property
    def num_frames(self) -> int:
        """Frames that decode, counted by decoding. Raises VideoError."""
        with self._decoder() as decoder:
            count = decoder.count(self._reading.number, self._source())
        self._index = count.index
        return count.frames

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """The frames of ascending, distinct indices. Raises ShortVideoError when they run out, VideoError.

        Once they are counted, those far from the first are sought.
        """
        number = self._reading.number
        with self._decoder() as decoder:
            source = None if decoder.holds(number) else self._source()
            yield from decoder.frames(number, source, indices, self._index)

    def probe(self) -> Probe:
        """What its header says, and its first frame: some milliseconds' work. Raises VideoError."""
        with self._decoder() as decoder:
            return decoder.probe(self._reading.number, self._source())

    def track(self) -> Track:
        """What its packets promise; all are read, those of video files are not decoded. Raises VideoError."""
        with self._decoder() as decoder:
            return decoder.track(self._reading.number, self._source())

    def content(self) -> str:
        return sha256_of(self._files, self.path)

    def state(self) -> str:
        return state_of(self._files, [self.path])

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        if not is_image(self.path.name) and importlib.util.find_spec("av") is None:
            raise DecoderError("video files need PyAV, which is not installed: pip install av")
        with self._reading.decoder() as decoder:
            yield decoder

    def _source(self) -> Source:
        try:
            return self.path.name, self._files.source(self.path)
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror or error}") from error
