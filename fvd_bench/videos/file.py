"""A file that holds one video, read frame-exactly by a decoding process.

The length of the video is the number of frames that decode, never what a header says. FFmpeg decodes video files:
frames of a variable rate come in the order of presentation, and FFmpeg's swscale converts colours as the stream's own
tags say. Pillow decodes image files that hold several images: animated WebP and PNG, and TIFF of several pages.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePath

from fvd_bench.errors import DecoderError, VideoError, cause
from fvd_bench.videos.decoding.pool import DECODERS, Decoders, Reading
from fvd_bench.videos.decoding.process import Decoder, Source
from fvd_bench.videos.files import DISK, Files, is_image, sha256_of, state_of
from fvd_bench.videos.greys import Greys
from fvd_bench.videos.header import Probe, Track
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame


class VideoFile:
    """A video file.

    path: where the file is in `files`.
    files: the disk, or an archive.
    decoders: the processes that decode it.
    """

    def __init__(self, path: PurePath, files: Files = DISK, *, decoders: Decoders = DECODERS) -> None:
        self.path = path
        self._files = files
        self._reading = Reading(decoders)
        self._index = b""

    @property
    def decoded(self) -> int:
        """The number of frames that were decoded for this video so far, including those that were decoded and not
        used."""
        return self._reading.decoded

    @cached_property
    def num_frames(self) -> int:
        """The number of frames that decode, counted by decoding all of them. Raises VideoError."""
        with self._decoder() as decoder:
            count = decoder.count(self._reading.number, self._source())
        self._index = count.index
        return count.frames

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices. Raises ShortVideoError when the video ends before them,
        VideoError.

        Once the frames were counted, those that lie far from the start are reached by seeking.
        """
        number = self._reading.number
        with self._decoder() as decoder:
            source = None if decoder.holds(number) else self._source()
            yield from decoder.frames(number, source, indices, self._index)

    def first_greys(self, most: int) -> Greys:
        """Return the first frames that decode, small and grey, at most so many. Raises VideoError."""
        number = self._reading.number
        with self._decoder() as decoder:
            return decoder.greys(number, [] if decoder.holds(number) else [self._source()], most)

    def probe(self) -> Probe:
        """Read the header and the first frame, which takes some milliseconds. Raises VideoError."""
        with self._decoder() as decoder:
            return decoder.probe(self._reading.number, self._source())

    def track(self) -> Track:
        """Read what the packets promise. All packets are read, those of video files without decoding. Raises
        VideoError."""
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
            raise VideoError(f"cannot be read: {cause(error)}") from error
