"""What the decoding process answers: headers, counts, frames and small greys of the files that it is asked for.

FFmpeg and Pillow read untrusted files. When they crash, hang or ask for too much memory, they do so here, and the
process that asked goes on without this video. `pool` is the other end. Either library is imported when it is needed, so
folders of images need no FFmpeg.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from fvd_bench.errors import ShortVideoError, VideoError, is_out_of_memory
from fvd_bench.videos.decoding.index import Entry, FrameIndex
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.messages import Bytes, Part, write_message
from fvd_bench.videos.decoding.meter import Meter
from fvd_bench.videos.files import is_image
from fvd_bench.videos.greys import Greys, small_grey, stacked
from fvd_bench.videos.header import Probe, Track
from fvd_bench.videos.video import Frame

_OWN_FAULTS = (TypeError, AttributeError, NameError, ImportError, AssertionError)
"""What is raised by a call that the installed library does not know, or by a mistake of this package. Damaged files
make PyAV raise none of these, but errors of FFmpeg, ValueError, OverflowError, RuntimeError and the like. They may
make Pillow raise one of these, and `image_file` catches it."""

Request = tuple[dict[str, Any], list[Part]]


@dataclass(frozen=True, slots=True)
class _File:
    """A file on disk, or in memory.

    path: its place on disk. None for a file in memory.
    name: the name of the file.
    data: the bytes of a file in memory.
    """

    path: str | None
    name: str
    data: Part

    def source(self) -> str | io.BytesIO:
        return _Named(self.data, self.name) if self.path is None else self.path


class _Decoded(Protocol):
    """A frame in whatever form the library has it. num_bytes: the memory that it takes."""

    @property
    def num_bytes(self) -> int: ...
    def entry(self) -> Entry | None: ...
    def frame(self) -> Frame: ...


class _Opened(Protocol):
    """A file that is open for decoding: `VideoStream` or `Animation`."""

    def probe(self) -> Probe: ...
    def track(self) -> Track: ...
    def frames(self) -> Iterator[_Decoded]: ...
    def sought(self, places: Sequence[int], index: FrameIndex) -> Iterator[_Decoded]: ...


class _Named(io.BytesIO):
    """A file in memory with a name: FFmpeg looks at the suffix when it guesses a format."""

    def __init__(self, data: Part, name: str) -> None:
        super().__init__(data.data)
        self.name = name


class DecodingServer:
    """Answers one request after the other.

    Between requests it holds the frames of the video that was counted last, if they are few enough.
    """

    def __init__(self, answers: BinaryIO, limits: Limits) -> None:
        self._answers = answers
        self._limits = limits
        self._meter = Meter(limits, self.tell_alive)
        self._held: list[_Decoded] = []

    def serve(self, request: Request) -> None:
        """Answer a request with any number of `alive` and `frame` heads, then one that ends the request. Raises
        OSError."""
        head, (listed, places, index, *data) = request
        self._meter = Meter(self._limits, self.tell_alive)
        listing = json.loads(listed.tobytes())
        files = [_File(path, name, part) for (path, name), part in zip(listing, data, strict=True)]
        try:
            match head["do"]:
                case "count":
                    self._count(files[0])
                case "probe" | "track":
                    self._header(files[0], head["do"])
                case "frames":
                    known = FrameIndex.from_bytes(index.data) if index.size else None
                    self._frames(files[0] if files else None, places.view("<i8").tolist(), known)
                case "greys":
                    self._greys(files[0] if files else None, int(places.view("<i8")[0]))
                case "image-greys":
                    self._image_greys(files)
                case "image-headers":
                    self._image_headers(files)
                case "images":
                    self._images(files)
        except BrokenPipeError:
            raise
        except ShortVideoError as error:
            self._end({"kind": "short", "found": error.found})
        except VideoError as error:
            self._end({"kind": "error", "message": str(error)})
        except MemoryError:
            most = self._limits.memory_bytes / 2**30
            message = f"takes more than {most:.3g} GiB of memory to decode: make a smaller copy of it"
            self._end({"kind": "error", "message": message})
        except _OWN_FAULTS as error:
            short = is_out_of_memory(error)  # as where a library of PyAV does not fit
            self._end({"kind": "fault", "message": _told_as_ours(error, files)[:1000], "out_of_memory": short})
        except Exception as error:  # whatever else a damaged file makes PyAV raise concerns this video alone
            message = f"cannot be decoded: {type(error).__name__}: {error}"
            self._end({"kind": "error", "message": message[:1000]})

    @contextlib.contextmanager
    def _open(self, file: _File) -> Iterator[_Opened]:
        """Open a file for decoding. Raises VideoError."""
        if is_image(file.name):
            from fvd_bench.videos.animation import open_animation

            with open_animation(file.source(), file.name, self._limits, self._meter) as images:
                yield images
        else:
            from fvd_bench.videos.decoding.stream import open_stream

            with open_stream(file.source(), self._limits, self._meter) as stream:
                yield stream

    def _header(self, file: _File, what: str) -> None:
        """Answer with what is known without decoding all frames. what: `probe` or `track`."""
        self._held = []
        with self._open(file) as opened:
            found = opened.probe() if what == "probe" else opened.track()
        self._meter.decoded = 0  # frames that were decoded for the header are not counted
        self._end({"kind": "header", **asdict(found)})

    def _count(self, file: _File) -> None:
        """Answer with the number of frames. If they are too many to be held, an index of them comes with it."""
        held: list[_Decoded] = []
        self._held = []
        held_bytes = 0
        entries: list[Entry | None] = []
        with self._open(file) as opened:
            for decoded in opened.frames():
                held.append(decoded)
                held_bytes += decoded.num_bytes
                if held_bytes > self._limits.held_bytes:
                    entries += [each.entry() for each in held]
                    held.clear()
        self._held = held
        index = FrameIndex.of(entries) if entries else None
        head = {"kind": "count", "frames": self._meter.decoded, "held": bool(held)}
        self._end(head, index.to_bytes() if index else b"")

    def _frames(self, file: _File | None, places: Sequence[int], index: FrameIndex | None) -> None:
        """Answer with the frames at ascending places. file: None for the video that is held. Raises VideoError."""
        found = self._decoded_frames(file, places, index) if file else self._held_frames(places)
        for number, decoded in enumerate(found, 1):
            self._give(decoded.frame(), last=number == len(places))

    def _greys(self, file: _File | None, most: int) -> None:
        """Answer with the first frames, small and grey. file: None for the video that is held. Raises VideoError."""
        found: list[Greys] = []
        if file is None:
            found = [small_grey(decoded.frame()) for decoded in self._held[:most]]
        else:
            self._held = []
            with self._open(file) as opened:
                found = [small_grey(decoded.frame()) for decoded in itertools.islice(opened.frames(), most)]
        self._end({"kind": "greys"}, stacked(found).astype("<f4").data)

    def _give(self, frame: Frame, *, last: bool) -> None:
        head = {"size": frame.pixels.shape[:2], "damaged": frame.damaged, "transparent": frame.transparent}
        head |= {"kind": "frame", "jpeg_quality": frame.jpeg_quality, "time": frame.time, "last": last}
        self._end(head, frame.pixels.data)

    def _held_frames(self, places: Sequence[int]) -> Iterator[_Decoded]:
        for place in places:
            if place >= len(self._held):
                raise ShortVideoError(len(self._held), places[-1] + 1)
            yield self._held[place]

    def _decoded_frames(self, file: _File, places: Sequence[int], index: FrameIndex | None) -> Iterator[_Decoded]:
        self._held = []
        done = 0
        if index is not None:
            with self._open(file) as opened:
                for decoded in opened.sought(places, index):
                    done += 1
                    yield decoded
        left = set(places[done:])
        found = 0
        if left:
            with self._open(file) as opened:
                for found, decoded in enumerate(opened.frames(), 1):
                    if found - 1 in left:
                        yield decoded
                    if found > places[-1]:
                        return
            raise ShortVideoError(found, places[-1] + 1)

    def _image_headers(self, files: Sequence[_File]) -> None:
        """Answer with the header of each image file. Raises VideoError."""
        from fvd_bench.videos.decoding.image_file import open_image, read_header

        self._held = []
        headers: list[dict[str, Any]] = []
        for file in files:
            self._meter.packet_done()
            with open_image(file.source(), file.name, self._limits) as image:
                headers.append(asdict(read_header(image, file.name)))
        self._end({"kind": "image-headers", "headers": headers})

    def _images(self, files: Sequence[_File]) -> None:
        """Answer with one frame from each image file. Raises VideoError."""
        for number, frame in enumerate(self._read_images(files), 1):
            self._give(frame, last=number == len(files))

    def _image_greys(self, files: Sequence[_File]) -> None:
        """Answer with one small and grey frame from each image file. Raises VideoError."""
        found: list[Greys] = []
        sizes: list[tuple[int, int]] = []
        for frame in self._read_images(files):
            found.append(small_grey(frame))
            height, width, _ = frame.pixels.shape
            sizes.append((width, height))
        self._end({"kind": "greys", "image_sizes": sizes}, stacked(found).astype("<f4").data)

    def _read_images(self, files: Sequence[_File]) -> Iterator[Frame]:
        from fvd_bench.videos.decoding.image_file import open_image, read_still

        self._held = []
        for file in files:
            self._meter.packet_done()
            with open_image(file.source(), file.name, self._limits) as image:
                frame = read_still(image, file.name)
            self._meter.decoded += 1
            yield frame

    def tell_alive(self) -> None:
        """Send a sign of life. The first one says that the process is ready."""
        write_message(self._answers, {"kind": "alive"}, b"")

    def _end(self, head: dict[str, Any], part: Bytes = b"") -> None:
        write_message(self._answers, {**head, "decoded": self._meter.decoded}, part)


def _told_as_ours(error: Exception, files: Sequence[_File]) -> str:
    """Say what went wrong, where in this package, and at which video, for somebody who has to fix it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    first = next((file.path or file.name for file in files), "a video that is held")
    library = f"Pillow {_version('pillow')}" if is_image(first) else f"PyAV {_version('av')}"
    return f"{type(error).__name__}: {error}; in {where}, with {library}, at {first}"


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # a tenth of what the process loads

    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
