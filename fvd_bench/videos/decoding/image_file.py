"""Image files, which Pillow opens whatever their names say. Only the decoding process uses this module.

This is the one place that opens untrusted images. Pillow knows some forty formats, starts Ghostscript for one of them,
and follows the fields of others to places in a file that nobody expects. Only five formats are read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, UnidentifiedImageError

from fvd_bench.errors import VideoError, cause
from fvd_bench.videos.alpha import over_black
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.header import ImageHeader, Probe
from fvd_bench.videos.orientation import UPRIGHT, Orientation
from fvd_bench.videos.video import Frame, Pixels

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")

IMAGE_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, EOFError,
    struct.error,
)  # fmt: skip
"""What Pillow raises for files that are damaged in one way or another."""

Image.MAX_IMAGE_PIXELS = None  # `check_size` holds the limit, which is the same for images and videos

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""What Pillow makes RGB of as it is defined. CIELAB (LAB) is none of these: of saturated colours it is up to 32 levels
beside the formulas of CIE 15, and depends on the version of Little CMS."""

_ORIENTATION = 0x0112
"""Number of the tag Orientation in EXIF and TIFF."""


def open_image(source: str | io.BytesIO, name: str, limits: Limits) -> Image.Image:
    """Open an image and read its header. Raises VideoError.

    source: a path, or the bytes. name: its name in messages.
    """
    try:
        image = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise VideoError(
            f"frame {name} is not an image that can be read: expected {', '.join(FORMATS)}, told by its contents"
        ) from error
    except IMAGE_ERRORS as error:
        raise VideoError(f"frame {name} cannot be read: {cause(error)}") from error
    try:
        check_size(image, name, limits)
    except VideoError:
        image.close()
        raise
    return image


def check_size(image: Image.Image, name: str, limits: Limits) -> None:
    """Raise VideoError if the current image of a file is too large."""
    width, height = image.size
    if width * height > limits.pixels:
        raise VideoError(
            f"frame {name} is too large, {width}×{height}: at most {limits.pixels:,} pixels are decoded; if it really "
            "is that large, make a smaller copy"
        )


def read_header(image: Image.Image, name: str) -> ImageHeader:
    """Read what an image says of itself, without reading its pixels. Raises VideoError."""
    turned = _orientation(lambda: Image.Image.getexif(image))  # the method of PNG would read the pixels first
    size = image.size if image.format == "TIFF" else turned.size(*image.size)  # Pillow turns the size of a TIFF itself
    probe = Probe((image.format or "unknown").lower(), image.mode, size, None, is_mirrored=turned.is_mirrored)
    return ImageHeader(probe, num_images(image, name))


def num_images(image: Image.Image, name: str) -> int:
    """Return how many images a file holds. Raises VideoError."""
    try:
        return int(getattr(image, "n_frames", 1))
    except IMAGE_ERRORS as error:
        raise VideoError(f"frame {name} cannot be read: {error}") from error


def read_still(image: Image.Image, name: str) -> Frame:
    """Read the one image that a file holds, as a frame. Raises VideoError."""
    if (images := num_images(image, name)) > 1:
        raise VideoError(
            f"frame {name} holds {images} images, and a frame is one: write one file for each, or put files that are "
            "videos of their own into a folder without still images"
        )
    try:
        return read_frame(image, name)
    except IMAGE_ERRORS as error:
        raise VideoError(f"frame {name} cannot be decoded: {error}") from error


def read_frame(image: Image.Image, name: str) -> Frame:
    """Read the current image of a file as it is to be displayed.

    Raises VideoError if it has more than 8 bits per channel, or colours that Pillow does not convert exactly, and one
    of IMAGE_ERRORS if it is damaged.
    """
    tiles = getattr(image, "tile", ())  # tiles tell what the file holds: a 16-bit PNG is opened in an 8-bit mode
    depths = [image.mode, *(str(tile[3]) for tile in tiles)]
    if image.mode.startswith(("I", "F")) or any(";16" in depth for depth in depths):
        raise VideoError(f"frame {name} has pixels of mode {depths[-1]}; 8 bits per channel are expected")
    if image.mode not in _MODES:
        raise VideoError(
            f"frame {name} has pixels of mode {image.mode}; expected grey, RGB, CMYK or YCbCr: convert it to RGB"
        )
    image.load()  # a PNG may hold its orientation after its pixels, and this call turns a TIFF
    turned = _orientation(image.getexif)
    pixels, transparent = _colours(image)
    return Frame(turned.applied(pixels), _jpeg_quality(image), transparent=transparent)


def _colours(image: Image.Image) -> tuple[Pixels, bool]:
    """Return uint8 [H, W, 3], and whether some pixel was not opaque."""
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), False
    pixels = np.asarray(image.convert("RGBA"))
    return over_black(pixels[..., :3], pixels[..., 3])


def _orientation(exif: Callable[[], Image.Exif]) -> Orientation:
    """Return the orientation in EXIF or XMP. Where these are damaged, it is upright."""
    try:
        return Orientation.of_exif(exif().get(_ORIENTATION))
    except IMAGE_ERRORS:
        return UPRIGHT


def _jpeg_quality(image: Image.Image) -> int | None:
    """Return the quality at which libjpeg makes this image's luminance table. 0 if there is none, None if it is no
    JPEG."""
    if image.format != "JPEG":
        return None
    table: Sequence[int] = image.quantization.get(0, ())  # type: ignore[attr-defined]
    return _LUMINANCE_QUALITIES.get(tuple(sorted(table)), 0)


_LUMINANCE = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
"""Quantisation table of luminance at quality 50: ITU-T T.81, Table K.1."""


def _scaled_luminance(quality: int) -> tuple[int, ...]:
    """Return the table that libjpeg makes for a quality of 1 to 100, with its entries sorted."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(sorted(min(max((int(v) * percent + 50) // 100, 1), 255) for v in _LUMINANCE.split()))


_LUMINANCE_QUALITIES = {_scaled_luminance(quality): quality for quality in range(1, 101)}
