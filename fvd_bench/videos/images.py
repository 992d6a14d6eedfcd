"""A folder of images as a video: one image per frame, in the order that `frame_names` finds.

Pillow decodes the images in the processes of `decoding`, as FFmpeg decodes video files.
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

import numpy as np

from fvd_bench.errors import ShortVideoError, VideoError, cause
from fvd_bench.videos.decoding.pool import DECODERS, Decoders, Reading
from fvd_bench.videos.decoding.process import Source
from fvd_bench.videos.files import DISK, Files, sha256_of, state_of
from fvd_bench.videos.frame_names import Doubt, FrameNames
from fvd_bench.videos.greys import Greys
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

    @property
    def num_frames(self) -> int:
        """The number of images, as their names say. Raises VideoError when these are not the frames of one video."""
        self._check_mixture()
        return len(self.names)

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices. No other images are looked at.

        Raises ShortVideoError when the video ends before them, VideoError when one is no image or of another size than
        the first of them.
        """
        if int(indices[-1]) >= self.num_frames:
            raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
        names, first = [self.names[index] for index in indices], None
        for name, frame in zip(names, self._decoded(names), strict=True):
            first = first or frame
            if frame.pixels.shape != first.pixels.shape:
                raise _other_size((names[0], _size(first)), (name, _size(frame)))
            yield frame

    def first_greys(self, most: int) -> Greys:
        """Return the first frames, small and grey, at most so many. Raises VideoError as `frames` does."""
        found: list[Greys] = []
        size: tuple[int, int] | None = None
        names = self.names[: min(most, self.num_frames)]
        for sources in self._sources(names):
            with self._reading.decoder() as decoder:
                greys, sizes = decoder.image_greys(self._reading.number, sources)
            found.append(greys)
            for (name, _), each in zip(sources, sizes, strict=True):
                size = size or each
                if each != size:
                    raise _other_size((names[0], size), (name, each))
        return np.concatenate(found)

    def check_all(self) -> None:
        """Read the header of every image, also of those that no clip needs. Raises VideoError when one has no valid
        header, or another size than the first."""
        first: tuple[int, int] | None = None
        headers = _headers([self.folder / name for name in self.names], self._files, self._reading)
        for name, header in zip(self.names, headers, strict=True):
            first = first or header.probe.size
            if header.probe.size != first:
                raise _other_size((self.names[0], first), (name, header.probe.size))

    def subset(self, indices: Indices) -> FrameFolder:
        """Return the video that consists of some of these frames, in ascending order. Raises ShortVideoError.

        The other images are not looked at, so it does not matter whether they are of the same size.
        """
        if int(indices[-1]) >= len(self.names):
            raise ShortVideoError(len(self.names), int(indices[-1]) + 1)
        part = copy.copy(self)
        part.names = [self.names[index] for index in indices]
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

    def _decoded(self, names: Sequence[str]) -> Iterator[Frame]:
        for sources in self._sources(names):
            with self._reading.decoder() as decoder:
                yield from decoder.images(self._reading.number, sources)

    def _sources(self, names: Sequence[str]) -> Iterator[list[Source]]:
        return _sources([self.folder / name for name in names], self._files)

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
            raise VideoError(f"frame {path.name} cannot be read: {cause(error)}") from error
        sources.append((path.name, source))
        num_bytes += len(source.getbuffer()) if isinstance(source, io.BytesIO) else 0
        if len(sources) == _MOST_IMAGES or num_bytes >= _MOST_BYTES:
            yield sources
            sources, num_bytes = [], 0
    if sources:
        yield sources


def _size(frame: Frame) -> tuple[int, int]:
    height, width, _ = frame.pixels.shape
    return width, height


def _other_size(first: tuple[str, tuple[int, int] | None], other: tuple[str, tuple[int, int] | None]) -> VideoError:
    """Return the error that says which two images, given with their widths and heights, differ in size."""
    one, two = (f"{name} is {'×'.join(map(str, size or ()))}" for name, size in (first, other))
    return VideoError(f"frames differ in size: {one}, {two}")
