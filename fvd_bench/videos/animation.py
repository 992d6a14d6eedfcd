"""An image file that holds several images, as a video: animated WebP and PNG, and TIFF of several pages.

Pillow reads the images one after the other. Its `info` holds what it found out beside what a PNG says in texts of its
own, under any name. Only the decoding process uses this module.
"""

from __future__ import annotations

import io
import itertools
import math
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
from fvd_bench.videos.frame_times import Time, steady_rate, uneven
from fvd_bench.videos.header import Probe, Track
from fvd_bench.videos.video import Frame

_MILLISECOND, _MICROSECOND = 1e-3, 1e-6
"""Seconds that a tick lasts. WebP counts in milliseconds; PNG has fractions of a second, such as a thirtieth."""

_TIMED_FRAMES = 9
"""First frames whose times tell the rate in a header: eight delays in milliseconds leave half a percent open up to 60
frames a second."""

_CODECS = {"png": "apng"}
"""FFmpeg's names for animations, by Pillow's names for images, where the two differ."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A frame of an image file."""

    image: Frame

    @property
    def num_bytes(self) -> int:
        return self.image.pixels.nbytes

    def entry(self) -> Entry | None:
        """Return None: the images of a file are read one after the other, and there is no seeking."""
        return None

    def frame(self) -> Frame:
        return self.image


class Animation:
    """The images of an open file, in their order.

    A PNG may hold one more image, for programs that do not know animations. It is not a frame.
    """

    def __init__(self, image: Image.Image, name: str, limits: Limits, meter: Meter) -> None:
        """Raises VideoError when the images cannot be counted."""
        self._image = image
        self._limits = limits
        self._name = name
        self._meter = meter
        self._places = range(1 if image.info.get("default_image") is True else 0, num_images(image, name))
        self._tick = _MICROSECOND if image.format == "PNG" else _MILLISECOND

    def frames(self) -> Iterator[DecodedImage]:
        """Yield all images up to where the file ends or breaks off. Raises VideoError."""
        for frame in self._timed_frames():
            yield DecodedImage(frame)

    def sought(self, places: Sequence[int], index: FrameIndex) -> Iterator[DecodedImage]:
        """Yield nothing, as there is no index of images."""
        return iter(())

    def probe(self) -> Probe:
        """Read the header and the first frames, whose delays are all that says of a rate. Raises VideoError."""
        found = read_header(self._image, self._name).probe
        found = replace(found, codec=_CODECS.get(found.codec, found.codec))
        shown = [(frame.time, self._seconds()) for frame in itertools.islice(self._timed_frames(), _TIMED_FRAMES)]
        times = [time.ticks for time, _ in shown if time]
        if not shown or len(times) < len(shown):
            return found
        return replace(found, rate=steady_rate(times, self._tick) or 1 / shown[0][1])

    def track(self) -> Track:
        """Read what the file promises. All frames are decoded, as their times are not known before. Raises
        VideoError."""
        shown = [(frame.time, self._seconds()) for frame in self._timed_frames()]
        times = [time.ticks for time, _ in shown if time]
        promised, seconds = len(self._places), None
        if shown and len(times) == len(shown):  # where the file breaks off, the others count as those that are there
            seconds = math.fsum(each for _, each in shown) * promised / len(shown)
        rate = promised / seconds if seconds else None
        return Track(promised, promised, 0.0, uneven(times, self._tick), seconds, rate)

    def _seconds(self) -> float:
        """Return for how long the current image is shown, or 0 where the file does not say."""
        milliseconds = self._image.info.get("duration")
        return milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0

    def _timed_frames(self) -> Iterator[Frame]:
        """Yield each frame, with its time if the file says how long frames are shown."""
        begins = 0.0
        for number, place in enumerate(self._places):
            self._meter.packet_done()
            name = f"{number} of {self._name}"
            try:
                self._image.seek(place)
                check_size(self._image, name, self._limits)
                frame = read_frame(self._image, name)
            except IMAGE_ERRORS as error:
                if number:  # the file breaks off here, and the frames before this place are good
                    return
                raise VideoError(f"cannot be decoded: {error}") from error
            self._meter.decoded += 1
            seconds = self._seconds()
            yield replace(frame, time=Time(round(begins / self._tick), self._tick)) if seconds else frame
            begins += seconds


@contextmanager
def open_animation(source: str | io.BytesIO, name: str, limits: Limits, meter: Meter) -> Iterator[Animation]:
    """Open an image file as a video. name: its name in messages. Raises VideoError, also for images above the limit."""
    with open_image(source, name, limits) as image:
        yield Animation(image, name, limits, meter)
