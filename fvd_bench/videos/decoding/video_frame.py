"""A frame as FFmpeg decodes it, and its conversion to one for display. Only the decoding process uses this module."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from fvd_bench.errors import VideoError
from fvd_bench.videos.alpha import OPAQUE, over_black
from fvd_bench.videos.decoding.index import Entry
from fvd_bench.videos.frame_times import Time
from fvd_bench.videos.orientation import UPRIGHT, Orientation
from fvd_bench.videos.video import Frame, Pixels

_MOST_BITS = 16
"""The most bits of a channel of integers. FFmpeg's formats of 32 bits are floats."""

_MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
"""Values of FFmpeg's AVColorSpace, which are those of MatrixCoefficients in ITU-T H.273, that swscale converts to RGB.
2 stands for none that is stated."""

_TO_RGB, _TO_RGBA = VideoReformatter(), VideoReformatter()
"""Each is kept for all frames: to set one up takes longer than to convert a small frame."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame that is not yet converted to RGB. damaged: whether data was lost in it or right before it."""

    image: av.VideoFrame
    damaged: bool

    @property
    def num_bytes(self) -> int:
        return sum(plane.buffer_size for plane in self.image.planes)

    def entry(self) -> Entry | None:
        """Return the frame's entry in an index of the video, or None for a frame without a time."""
        frame = self.image
        return None if frame.pts is None else Entry(frame.pts, checksum(frame), bool(frame.key_frame), self.damaged)

    def frame(self) -> Frame:
        """Convert the frame for display: to RGB, over black, turned as its display matrix says. Raises VideoError."""
        if (matrix := int(self.image.colorspace)) not in _MATRICES:
            raise VideoError(
                f"has colours by matrix {matrix} of ITU-T H.273 (8 is YCgCo, 14 ICtCp), of which swscale makes no RGB; "
                "encode it again, by BT.709 for one"
            )
        colours = cast("Pixels", _TO_RGB.reformat(self.image, format="rgb24", threads=1).to_ndarray())
        transparent = False
        if (alpha := _alpha(self.image)) is not None:
            colours, transparent = over_black(colours, alpha)
        pixels = orientation(self.image).applied(colours)
        pts, base = self.image.pts, self.image.time_base
        time = Time(pts, float(base)) if pts is not None and base else None
        return Frame(pixels, damaged=self.damaged, time=time, transparent=transparent)


def orientation(frame: av.VideoFrame) -> Orientation:
    """Return how a frame is to be turned and mirrored. Raises VideoError."""
    matrix = np.frombuffer(display_matrix(frame), dtype=np.int32)
    return Orientation.of_matrix(matrix.tolist()) if matrix.size == 9 else UPRIGHT


def display_matrix(frame: av.VideoFrame) -> bytes:
    """Return the frame's display matrix from FFmpeg, nine numbers of 32 bits. Empty where it has none."""
    found = frame.side_data.get("DISPLAYMATRIX")
    return b"" if found is None else bytes(cast("SideData", found))


def _alpha(frame: av.VideoFrame) -> NDArray[np.uint8] | None:
    """Return uint8 [H, W], how opaque each pixel is, or None for formats without alpha."""
    form = frame.format
    component = next((c for c in form.components if c.is_alpha), None)
    if component is None and not form.has_palette:
        return None
    if component is None or not form.is_planar or component.bits > _MOST_BITS:
        return cast("Pixels", _TO_RGBA.reformat(frame, format="rgba", threads=1).to_ndarray())[..., 3]
    # FFmpeg's own conversion to RGBA is off by one for some planar formats.
    plane = frame.planes[component.plane]
    kind = np.dtype(np.uint8 if component.bits <= 8 else ">u2" if form.is_big_endian else "<u2")
    lines: NDArray[np.unsignedinteger[Any]] = np.frombuffer(memoryview(plane), dtype=kind)
    lines = lines[: plane.height * plane.line_size // kind.itemsize].reshape(plane.height, -1)[:, : frame.width]
    most = 2**component.bits - 1
    levels: Pixels = ((lines.astype(np.uint32) * OPAQUE + most // 2) // most).astype(np.uint8)
    return levels


def checksum(frame: av.VideoFrame) -> int:
    """Return the CRC-32 of everything that a frame's RGB pixels are made from."""
    form = frame.format
    made_as = (form.name, frame.width, frame.height, frame.color_range, frame.colorspace, display_matrix(frame))
    found = zlib.crc32(repr(made_as).encode())
    for number, plane in enumerate(frame.planes):
        lines = np.frombuffer(memoryview(plane), dtype=np.uint8)
        width = _line_bytes(form, number, plane.width)
        if 0 < width <= plane.line_size and plane.height * plane.line_size <= lines.size:
            # The padding after a line's end is left over from other frames.
            lines = lines[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)[:, :width]
        found = zlib.crc32(np.ascontiguousarray(lines).data, found)
    return found


def _line_bytes(form: av.VideoFormat, number: int, width: int) -> int:
    """Return how many bytes of a plane's line hold pixels, or 0 where that is not known."""
    planes = {component.plane for component in form.components}
    if planes == {0}:
        return -(-form.padded_bits_per_pixel * width // 8) if number == 0 else 0
    return sum(-(-component.bits // 8) for component in form.components if component.plane == number) * width
