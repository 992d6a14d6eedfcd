"""One video, frame-exact, as uint8 RGB frames [H, W, 3]: a file that FFmpeg decodes, or a folder of images.

Length is the number of frames that decode, never what a header says. Rotation tags are applied, alpha is
dropped, grey becomes RGB, and frames of variable rate come in the order of presentation. Colours are
converted by FFmpeg's swscale as the stream's own tags say. Orientation in the EXIF data of images is ignored.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.sampling import Indices

if TYPE_CHECKING:
    import av

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .avi .webm .mov .mkv .gif .mpg .mpeg .ts .wmv .flv .ogv".split(),
)
IMAGE_SUFFIXES = frozenset(".jpg .jpeg .png .webp .bmp .tif .tiff".split())

_HELD_BYTES = 64 * 2**20
"""Decoded frames are held while counting, up to this size, so that a short video is decoded only once."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One RGB image.

    pixels: uint8 [H, W, 3].
    jpeg_quality: None unless it was read from a JPEG file; then its quality, or 0 for tables of its own.
    damaged: whether the decoder reported errors in it or lost data right before it.
    """

    pixels: Pixels
    jpeg_quality: int | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames of one video, of one size.

    frames: uint8 [T, H, W, 3] RGB. jpeg_qualities: one per frame, see `Frame`; damaged: number of such frames.
    """

    frames: Pixels
    jpeg_qualities: tuple[int | None, ...]
    damaged: int = 0

    def __post_init__(self) -> None:
        assert self.frames.ndim == 4 and self.frames.shape[3] == 3 and self.frames.dtype == np.uint8
        assert len(self.jpeg_qualities) == len(self.frames)


class Video(Protocol):
    """What the pipeline needs to know of a video."""

    @property
    def num_frames(self) -> int:
        """Frames that decode. Raises VideoError when that cannot be told."""

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """The frames of ascending, distinct indices. Raises ShortVideoError when they run out, VideoError."""

    def content(self) -> str:
        """sha256 of everything that the frames are made from."""

    def state(self) -> str:
        """Cheap text that changes when the content does; a store remembers for good which content had it.

        Of files: their places, sizes, and times of change. Of what is made on demand: `content()` itself.
        """


class Files(Protocol):
    """Where the files of videos are: on disk, or in an archive. Several threads ask at once."""

    def source(self, path: PurePath) -> str | io.BytesIO:
        """What FFmpeg and Pillow open: an absolute path, or the file in memory. Raises OSError."""

    def state(self, path: PurePath) -> bytes:
        """Cheap text that changes when the file does. Raises OSError."""


class _Disk:
    def source(self, path: PurePath) -> str:
        return str(Path(path).absolute())  # FFmpeg takes what stands before a colon for the name of a transport

    def state(self, path: PurePath) -> bytes:
        return file_state(Path(path))


DISK: Files = _Disk()


class VideoFile:
    """A video file, decoded by FFmpeg on one thread. path: in `files`."""

    def __init__(self, path: PurePath, files: Files = DISK) -> None:
        self.path = path
        self._files = files
        self._held: list[tuple[av.VideoFrame, bool]] = []

    @cached_property
    def num_frames(self) -> int:
        """Frames that decode, counted by decoding. Raises VideoError."""
        count = held_bytes = 0
        held: list[tuple[av.VideoFrame, bool]] = []
        for frame, damaged in self._decode():
            count += 1
            held_bytes += sum(plane.buffer_size for plane in frame.planes)
            if held_bytes <= _HELD_BYTES:
                held.append((frame, damaged))
            else:
                held.clear()
        self._held = held
        return count

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """The frames of ascending, distinct indices. Raises ShortVideoError when they run out, VideoError."""
        wanted = set(indices.tolist())
        last = int(indices[-1])
        found = 0
        for index, (frame, damaged) in enumerate(self._held or self._decode()):
            found = index + 1
            if index in wanted:
                yield Frame(_rgb(frame), damaged=damaged)
            if index == last:
                return
        raise ShortVideoError(found, last + 1)

    def content(self) -> str:
        return _sha256(self._files, self.path)

    def state(self) -> str:
        return _state(self._files, [self.path])

    @property
    def files(self) -> Files:
        """Where its path leads."""
        return self._files

    def _decode(self) -> Iterator[tuple[av.VideoFrame, bool]]:
        """All frames that decode, in order of presentation, with whether data was lost in or right before them."""
        try:
            import av  # here, so that folders of images need no FFmpeg
        except ImportError as error:
            raise VideoError("cannot be decoded: video files need PyAV, the package av") from error

        lost = False
        decoded = 0
        try:
            source = self._files.source(self.path)
            # A playlist in an archive must not lead FFmpeg to files beside the archive, or to the network.
            options = {} if isinstance(source, str) else {"protocol_whitelist": "none"}
            with av.open(source, "r", options=options, metadata_errors="ignore") as container:
                stream = cast("av.VideoStream | None", container.streams.best("video"))
                if stream is None:
                    raise VideoError("holds no video stream")
                stream.codec_context.thread_type = "NONE"
                for packet in container.demux(stream):
                    try:
                        for frame in packet.decode():
                            decoded += 1
                            yield frame, lost or frame.is_corrupt
                            lost = False
                    except av.error.InvalidDataError:
                        lost = True
        except av.error.FFmpegError as error:
            if decoded and isinstance(error, av.error.InvalidDataError):
                return  # the container breaks off: what came before it decodes
            raise VideoError(f"cannot be decoded: {error.strerror or error}") from error
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror or error}") from error


class FrameFolder:
    """A folder of images, one per frame, in natural numeric order of their names. folder: in `files`."""

    def __init__(self, folder: PurePath, names: Sequence[str], files: Files = DISK) -> None:
        self.folder = folder
        self.names = sorted(names, key=_natural)
        self._files = files

    @cached_property
    def num_frames(self) -> int:
        """Number of images. Raises VideoError when one has no valid header or another size than the first."""
        first: tuple[int, int] | None = None
        for name in self.names:
            with self.open(name) as image:
                first = first or image.size
                if image.size != first:
                    raise VideoError(
                        f"frames differ in size: {self.names[0]} is {first[0]}×{first[1]}, "
                        f"{name} is {image.size[0]}×{image.size[1]}"
                    )
        return len(self.names)

    def frames(self, indices: Indices) -> Iterator[Frame]:
        """The frames of ascending, distinct indices. Raises ShortVideoError when they run out, VideoError."""
        if int(indices[-1]) >= self.num_frames:
            raise ShortVideoError(self.num_frames, int(indices[-1]) + 1)
        for index in indices:
            name = self.names[index]
            with self.open(name) as image:
                try:
                    yield Frame(_image_rgb(image, name), _jpeg_quality(image))
                except _IMAGE_ERRORS as error:
                    raise VideoError(f"frame {name} cannot be decoded: {error}") from error

    def content(self) -> str:
        whole = hashlib.sha256()
        for name in self.names:
            digest = _sha256(self._files, self.folder / name)
            whole.update(f"{name}\0{digest}\0".encode(errors="surrogateescape"))
        return whole.hexdigest()

    def state(self) -> str:
        return _state(self._files, [self.folder / name for name in self.names])

    def open(self, name: str) -> Image.Image:
        """One of the images, its header read. Raises VideoError."""
        try:
            return Image.open(self._files.source(self.folder / name))
        except UnidentifiedImageError as error:
            raise VideoError(f"frame {name} is not an image that can be read") from error
        except Image.DecompressionBombError as error:
            raise VideoError(f"frame {name} is too large: {error}") from error
        except _IMAGE_ERRORS as error:
            raise VideoError(f"frame {name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_clips(video: Video, wanted: Sequence[Indices]) -> Iterator[tuple[int, Clip]]:
    """Read several clips of a video in one pass over its frames.

    wanted: the frame indices of each clip, in any order.
    Yields (place in `wanted`, clip) as soon as each clip is complete; frames are let go when no clip needs
    them any more. Raises VideoError.
    """
    waiting = sorted(range(len(wanted)), key=lambda k: (wanted[k].max(), k))
    held: dict[int, Frame] = {}
    union = np.unique(np.concatenate(list(wanted)))
    for index, frame in zip(union.tolist(), video.frames(union), strict=True):
        held[index] = frame
        while waiting and wanted[waiting[0]].max() <= index:
            k = waiting.pop(0)
            yield k, _clip([held[i] for i in wanted[k].tolist()])
            oldest = min((wanted[k].min() for k in waiting), default=index + 1)
            held = {i: f for i, f in held.items() if i >= oldest}


def _clip(frames: Sequence[Frame]) -> Clip:
    height, width, _ = frames[0].pixels.shape
    for frame in frames:
        if frame.pixels.shape != frames[0].pixels.shape:
            other_height, other_width, _ = frame.pixels.shape
            raise VideoError(f"frames differ in size: {width}×{height} and {other_width}×{other_height}")
    pixels = np.stack([f.pixels for f in frames])
    return Clip(pixels, tuple(f.jpeg_quality for f in frames), sum(f.damaged for f in frames))


def _rgb(frame: av.VideoFrame) -> Pixels:
    pixels = frame.to_ndarray(format="rgb24", threads=1)
    if frame.rotation:
        pixels = np.rot90(pixels, frame.rotation // 90)
    return np.ascontiguousarray(pixels)


def _image_rgb(image: Image.Image, name: str) -> Pixels:
    tiles = getattr(image, "tile", ())  # what the file holds: a 16-bit PNG is opened in an 8-bit mode
    depths = [image.mode, *(str(tile[3]) for tile in tiles)]
    if image.mode.startswith(("I", "F")) or any(";16" in depth for depth in depths):
        raise VideoError(f"frame {name} has pixels of mode {depths[-1]}; 8 bits per channel are expected")
    return np.asarray(image.convert("RGB"))


def _jpeg_quality(image: Image.Image) -> int | None:
    """The quality at which libjpeg makes this image's luminance table, 0 if at none, None if it is no JPEG."""
    if image.format != "JPEG":
        return None
    table: Sequence[int] = image.quantization.get(0, ())  # type: ignore[attr-defined]
    return _LUMINANCE_QUALITIES.get(tuple(sorted(table)), 0)


_LUMINANCE = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
"""Quantisation of luminance at quality 50: ITU-T T.81, Table K.1."""


def _scaled_luminance(quality: int) -> tuple[int, ...]:
    """The table that libjpeg makes for a quality of 1 to 100, its entries sorted."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(sorted(min(max((int(v) * percent + 50) // 100, 1), 255) for v in _LUMINANCE.split()))


_LUMINANCE_QUALITIES = {_scaled_luminance(quality): quality for quality in range(1, 101)}


_IMAGE_ERRORS = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)
"""What Pillow raises for files that are damaged in one way or another."""


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key: runs of digits count as numbers, ties are broken by the name itself."""
    parts = re.split(r"(\d+)", name)
    return (*((int(p), "") if p.isdecimal() else (-1, p) for p in parts if p), (-2, name))


def _sha256(files: Files, path: PurePath) -> str:
    try:
        source = files.source(path)
        with Path(source).open("rb") if isinstance(source, str) else source as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror or error}") from error


def _state(files: Files, paths: Sequence[PurePath]) -> str:
    try:
        return hashlib.sha256(b"\0".join(map(files.state, paths))).hexdigest()
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror or error}") from error


def file_state(path: Path) -> bytes:
    """The place of a file on disk and what changes when its bytes do. Raises OSError."""
    stat = path.stat()
    # The time of change and the file's number tell apart what a copy with preserved times does not.
    numbers = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_dev, stat.st_ino)
    return os.fsencode(path.absolute()) + repr(numbers).encode()
