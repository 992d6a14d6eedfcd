"""A folder of images as a video: one image per frame, in the order that `frame_names` finds.

Pillow decodes the images in the processes of `decoding`, as FFmpeg decodes video files.
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import PurePath

import numpy as np

from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.videos.decoding.pool import DECODERS, Decoders, Reading
from fvd_bench.videos.decoding.process import Source
from fvd_bench.videos.files import DISK, Files, sha256_of, state_of
from fvd_bench.videos.frame_names import Doubt, FrameNames
from fvd_bench.videos.header import ImageHeader, Probe
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame

_MOST_IMAGES = 64
_MOST_BYTES = 2**25
"""The most images in one request, and the most bytes of them. Images on disk count no bytes, since the other process
reads them itself."""


class FrameFolder:
    """A folder of images, one per frame.

    folder: where the folder is in `files`.
    names: the names of the images, in any order. The attribute `names` has them in the order in which they are shown.
    files: the disk, or an archive.
    decoders: the processes that decode the images.
    """

    def __init__(
        self, folder: PurePath, names: Sequence[str], files: Files = DISK, *, decoders: Decoders = DECODERS
    ) -> None:
        self.folder = folder
        self._files = files
        self._reading = Reading(decoders)
        self._frame_names = FrameNames(names)
        self.names = self._frame_names.ordered

    @property
    def mixture(self) -> str | None:
        """Why the images are not the frames of one video. None if they can be."""
        return self._frame_names.mixture

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the names of the images leave in doubt."""
        return self._frame_names.doubts

    @cached_property
    def num_frames(self) -> int:
        """The number of images.

        Raises VideoError when these are not the frames of one video, or when one has no valid header or another size
        than the first.
        """
        self._check_mixture()
        first: tuple[int, int] | None = None
        headers = _headers([self.folder / name for name in self.names], self._files, self._reading)
        for name, header in zip(self.names, headers, strict=True):
            size = header.probe.size
            first = first or size
            if size != first:
                raise VideoError(f"frames differ in size: {self.names[0]} is {_text(first)}, {name} is {_text(size)}")
        return len(self.names)

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices. Raises ShortVideoError when the video ends before them,
        VideoError."""
        if int(indices[-1]) >= self.num_frames:
            raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
        for sources in _sources([self.folder / self.names[index] for index in indices], self._files):
            with self._reading.decoder() as decoder:
                yield from decoder.images(self._reading.number, sources)

    def subset(self, indices: Indices) -> FrameFolder:
        """Return the video that consists of some of these frames, in ascending order. Raises ShortVideoError.

        The other images are not looked at, so it does not matter whether they are of the same size.
        """
        if int(indices[-1]) >= len(self.names):
            raise ShortVideoError(len(self.names), int(indices[-1]) + 1)
        part = copy.copy(self)
        part.names = [self.names[index] for index in indices]
        part.__dict__.pop("num_frames", None)  # the copy may hold the number of all frames
        return part

    def probe(self) -> Probe:
        """Read the header of the first image. Raises VideoError."""
        return next(_headers([self.folder / self.names[0]], self._files, self._reading)).probe

    def by_text(self, indices: Indices) -> Indices:
        """Convert indices that count frames in the order of their names as text to indices of this video. Raises
        ShortVideoError."""
        if int(indices.max()) >= len(self.names):
            raise ShortVideoError(len(self.names), int(indices.max()) + 1)
        return np.array(sorted(range(len(self.names)), key=self.names.__getitem__), dtype=np.int64)[indices]

    def content(self) -> str:
        self._check_mixture()
        whole = hashlib.sha256()
        for name in self.names:
            digest = sha256_of(self._files, self.folder / name)
            whole.update(f"{name}\0{digest}\0".encode(errors="surrogateescape"))
        return whole.hexdigest()

    def state(self) -> str:
        self._check_mixture()
        return state_of(self._files, [self.folder / name for name in self.names])

    def _check_mixture(self) -> None:
        """Raise VideoError if the images are not the frames of one video.

        Asking for the content or the state raises it too, so that no stored features of such a folder are used.
        """
        if self.mixture is not None:
            raise VideoError(self.mixture)


def hold_several(paths: Sequence[PurePath], files: Files, decoders: Decoders = DECODERS) -> list[bool]:
    """Say for each image file whether it holds several images. For files that cannot be read it is False.

    Raises DecoderError.
    """
    try:
        return [header.images > 1 for header in _headers(paths, files, Reading(decoders))]
    except VideoError:
        if len(paths) == 1:
            return [False]
        half = len(paths) // 2  # files are halved until each one that cannot be read is by itself
        return hold_several(paths[:half], files, decoders) + hold_several(paths[half:], files, decoders)


def _headers(paths: Sequence[PurePath], files: Files, reading: Reading) -> Iterator[ImageHeader]:
    """Yield the header of each image file. Raises VideoError."""
    for sources in _sources(paths, files):
        with reading.decoder() as decoder:
            headers = decoder.image_headers(reading.number, sources)
        yield from headers


def _sources(paths: Iterable[PurePath], files: Files) -> Iterator[list[Source]]:
    """Yield lists of images, each as many as one request may hold. Raises VideoError."""
    sources: list[Source] = []
    num_bytes = 0
    for path in paths:
        try:
            source = files.source(path)
        except OSError as error:
            raise VideoError(f"frame {path.name} cannot be read: {error.strerror or error}") from error
        sources.append((path.name, source))
        num_bytes += len(source.getbuffer()) if isinstance(source, io.BytesIO) else 0
        if len(sources) == _MOST_IMAGES or num_bytes >= _MOST_BYTES:
            yield sources
            sources, num_bytes = [], 0
    if sources:
        yield sources


def _text(size: tuple[int, int] | None) -> str:
    return "×".join(map(str, size or ()))
