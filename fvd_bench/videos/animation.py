"""An image file that holds several images, as a video: animated WebP and PNG, TIFF of several pages.

Pillow reads them, one image after the other; used in the decoding process only.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from PIL import Image

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding.image_file import (
    IMAGE_ERRORS,
    check_size,
    num_images,
    open_image,
    read_frame,
    read_header,
)
from fvd_bench.videos.decoding.index import Entry, FrameIndex
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.meter import Meter
from fvd_bench.videos.frame_times import Time, uneven
from fvd_bench.videos.header import Probe, Track
from fvd_bench.videos.video import Frame

_TICK = 0.001
"""Seconds: durations are told in milliseconds."""

_CODECS = {"png": "apng"}
"""As FFmpeg names them: those of animations that differ from those of images."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A frame of an image file."""

    image: Frame

    @property
    def num_bytes(self) -> int:
        return self.image.pixels.nbytes

    def entry(self) -> Entry | None:
        """None: the images of a file are read one after the other, nothing is sought."""
        return None

    def frame(self) -> Frame:
        return self.image


class Animation:
    """The images of an open file, in their order.

    A PNG may hold one more, for programs that know no animation: it is no frame.
    """

    def __init__(self, image: Image.Image, name: str, limits: Limits, meter: Meter) -> None:
        """Raises VideoError."""
        self._image = image
        self._limits = limits
        self._name = name
        self._meter = meter
        self._places = range(1 if image.info.get("default_image") else 0, num_images(image, name))

    def frames(self) -> Iterator[DecodedImage]:
        """All up to where the file ends or breaks off. Raises VideoError."""
        for frame in self._timed_frames():
            yield DecodedImage(frame)

    def sought(self, places: Sequence[int], index: FrameIndex) -> Iterator[DecodedImage]:
        """Nothing: there is no index of images."""
        return iter(())

    def probe(self) -> Probe:
        """What the header and the first frame say. Raises VideoError."""
        found = read_header(self._image, self._name).probe
        found = replace(found, codec=_CODECS.get(found.codec, found.codec))
        if next(self._timed_frames(), None) is None or not (milliseconds := self._milliseconds()):
            return found
        return replace(found, rate=1000 / milliseconds)

    def track(self) -> Track:
        """What the file promises; the times of its frames are not known before all are decoded. Raises VideoError."""
        times = [frame.time.ticks for frame in self._timed_frames() if frame.time]
        promised = len(self._places)
        return Track(promised, promised, 0.0, uneven(times, _TICK))

    def _milliseconds(self) -> int:
        """For which the image is shown at which the file stands, 0 where that is not said."""
        return round(self._image.info.get("duration") or 0)

    def _timed_frames(self) -> Iterator[Frame]:
        """Each frame, with its time where the file says how long they are shown."""
        ticks = 0
        for number, place in enumerate(self._places):
            self._meter.packet_done()
            name = f"{number} of {self._name}"
            try:
                self._image.seek(place)
                check_size(self._image, name, self._limits)
                frame = read_frame(self._image, name)
            except IMAGE_ERRORS as error:
                if number:  # the file breaks off: what came before it decodes
                    return
                raise VideoError(f"cannot be decoded: {error}") from error
            self._meter.decoded += 1
            milliseconds = self._milliseconds()
            yield replace(frame, time=Time(ticks, _TICK)) if milliseconds else frame
            ticks += milliseconds


@contextmanager
def open_animation(source: str | io.BytesIO, name: str, limits: Limits, meter: Meter) -> Iterator[Animation]:
    """Open an image file as a video; name: for messages. Raises VideoError, also for frames above the limit."""
    with open_image(source, name, limits) as image:
        yield Animation(image, name, limits, meter)
