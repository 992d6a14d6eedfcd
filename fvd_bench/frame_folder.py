"""A folder of images as a video: one per frame, in the order that `frame_names` tells.

Alpha is dropped, grey becomes RGB. Orientation in the EXIF data of images is ignored. Images are decoded here and not
in the processes of `decoders`: Pillow refuses decompression bombs and bounds its decoders, and sending small images
between processes would cost more than decoding them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import PurePath

import numpy as np
from PIL import Image, UnidentifiedImageError

from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.files import DISK, Files, sha256_of, state_of
from fvd_bench.frame_names import Doubt, FrameNames
from fvd_bench.sampling import Indices
from fvd_bench.video import Frame, Pixels


class FrameFolder:
    """A folder of images, one per frame. folder: in `files`; names: in the order in which they are shown."""

    def __init__(self, folder: PurePath, names: Sequence[str], files: Files = DISK) -> None:
        self.folder = folder
        self._files = files
        self._frame_names = FrameNames(names)
        self.names = self._frame_names.ordered

    @property
    def mixture(self) -> str | None:
        """Why the images are not the frames of one video, None if they can be."""
        return self._frame_names.mixture

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the names of the images leave open."""
        return self._frame_names.doubts

    @cached_property
    def num_frames(self) -> int:
        """Number of images. Raises VideoError when these are not the frames of one video, or one has no valid header or
        another size than the first."""
        self._check_mixture()
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

    def by_text(self, indices: Indices) -> Indices:
        """Where frames stand that are counted in the order of their names as text. Raises ShortVideoError."""
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
        """Raises VideoError. Whoever asks what the folder holds is told, so that no stored features of it are used."""
        if self.mixture is not None:
            raise VideoError(self.mixture)

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
