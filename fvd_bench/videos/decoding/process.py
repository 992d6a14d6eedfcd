"""One decoding process, seen from the process that asks, and the questions that it answers. `__main__` runs in it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from fvd_bench.errors import DecoderError, ShortVideoError, VideoError, cause, is_out_of_files, is_out_of_threads
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.messages import MessageError, Part, read_message, write_message
from fvd_bench.videos.frame_times import Time
from fvd_bench.videos.greys import SIDE, Greys
from fvd_bench.videos.header import ImageHeader, Probe, Track
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Frame

_STARTING_SECONDS = 60.0
_DYING_SECONDS = 2.0
_COMPLAINT_BYTES = 2**16
_NO_PLACES: Indices = np.zeros(0, dtype=np.int64)

Source = tuple[str, str | io.BytesIO]
"""The name of a file, and its path or its bytes."""


class LostDecoderError(VideoError):
    """A video made the decoder hang, die, or give a senseless answer."""


@dataclass(frozen=True, slots=True)
class Count:
    """The frames of a video. frames: number of those that decode. index: bytes of a `FrameIndex`, empty if there is
    none."""

    frames: int
    index: bytes


class Decoder:
    """A decoding process, which one thread uses at a time and another thread watches.

    video: the number of the video that it was last asked about.
    holding: whether it still holds all frames of that video.
    decoded: frames that it decoded for the last question, including those that are not used.
    thread: the thread that used it last.
    idle_since: when it was last returned.
    """

    def __init__(self, limits: Limits) -> None:
        """Start the process. Raises DecoderError."""
        self.video: int | None = None
        self.thread = 0
        self.idle_since = 0.0
        self.decoded = 0
        self._limits = limits
        self.holding = False
        self._silent_seconds: float | None = None  # None while nobody waits for an answer
        self._hung = False
        self._killed = False
        self._ready = False
        self._whole = True
        try:
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- it is closed with the pipes
        except OSError as error:
            why = f"it needs a temporary file ({cause(error)}), in the folder that TMPDIR names"
            raise _no_start(why, _limit_of(error)) from error
        try:
            self._process = subprocess.Popen(
                # With -P no module from the current folder, where the videos may be, is imported.
                [sys.executable, "-P", "-m", "fvd_bench.videos.decoding", json.dumps(asdict(limits))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=_environment(),
            )
        except OSError as error:
            self._complaints.close()
            raise _no_start(str(error), _limit_of(error)) from error
        self.pid = self._process.pid
        self._requests = cast("io.BufferedWriter", self._process.stdin)
        self._answers = cast("io.BufferedReader", self._process.stdout)

    def holds(self, video: int) -> bool:
        """Return whether the process still holds all frames of a video, so that it need not be given the file again."""
        return self.holding and self.video == video

    def count(self, video: int, source: Source) -> Count:
        """Count the frames of a video that decode. Raises VideoError."""
        with self._asking(video, "count", [source]):
            head, part = self._answer()
            self.holding = head["held"] is True
            return Count(_number(head["frames"]), part.tobytes())

    def frames(self, video: int, source: Source | None, places: Indices, index: bytes) -> Iterator[Frame]:
        """Yield the frames at ascending places. Raises ShortVideoError, VideoError.

        source: None if the process holds the frames. index: bytes of the video's `FrameIndex`, empty if there is none.
        """
        with self._asking(video, "frames", [source] if source else [], places, index):
            yield from self._frames(int(places[-1]) + 1)

    def images(self, video: int, sources: Sequence[Source]) -> Iterator[Frame]:
        """Yield one frame from each image file. Raises VideoError."""
        with self._asking(video, "images", sources):
            yield from self._frames(len(sources))

    def greys(self, video: int, sources: Sequence[Source], most: int) -> Greys:
        """Return the first frames of a video file, small and grey, at most so many. Raises VideoError.

        sources: the file, or nothing if the process holds the frames.
        """
        with self._asking(video, "greys", sources, np.array([most])):
            return _greys(self._answer()[1])

    def image_greys(self, video: int, sources: Sequence[Source]) -> tuple[Greys, list[tuple[int, int]]]:
        """Return one small and grey frame from each image file, and the widths and heights of the files. Raises
        VideoError."""
        with self._asking(video, "image-greys", sources):
            head, part = self._answer()
            return _greys(part), [(_number(width), _number(height)) for width, height in head["image_sizes"]]

    def image_headers(self, video: int, sources: Sequence[Source]) -> list[ImageHeader]:
        """Return the header of each image file. Raises VideoError."""
        with self._asking(video, "image-headers", sources):
            return list(map(ImageHeader.from_head, self._answer()[0]["headers"]))

    def probe(self, video: int, source: Source) -> Probe:
        """Return what the header of a video says. Raises VideoError."""
        with self._asking(video, "probe", [source]):
            return Probe.from_head(self._answer()[0])

    def track(self, video: int, source: Source) -> Track:
        """Return what the packets of a video promise. Raises VideoError."""
        with self._asking(video, "track", [source]):
            return Track.from_head(self._answer()[0])

    def tick(self, seconds: float) -> None:
        """Count `seconds` of silence, and kill the process after too many. The thread that watches calls this.

        While the machine sleeps, nothing is counted.
        """
        if self._silent_seconds is not None:
            self._silent_seconds += seconds
            if self._silent_seconds > (self._limits.silence_seconds if self._ready else _STARTING_SECONDS):
                self._hung = True
                self._kill()

    def runs(self) -> bool:
        return not self._killed and self._process.poll() is None

    def end(self) -> None:
        self._kill()
        self._process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Close our ends of the pipes, without sending anything more."""
        self._requests.raw.close()
        self._answers.raw.close()
        self._complaints.close()

    @contextlib.contextmanager
    def _asking(
        self, video: int, what: str, sources: Sequence[Source], places: Indices = _NO_PLACES, index: bytes = b""
    ) -> Iterator[None]:
        """Send a question. If its answer is not read to the end, the process is in the middle of work and is killed."""
        listed = [(source if isinstance(source, str) else None, name) for name, source in sources]
        data = [b"" if isinstance(source, str) else source.getbuffer() for _, source in sources]
        parts = (json.dumps(listed).encode("ascii"), places.astype("<i8").data, index, *data)
        self.video, self.holding, self._whole, self.decoded = video, not sources, False, 0
        try:
            with self._waited_for():
                write_message(self._requests, {"do": what}, *parts)
            yield
        except (EOFError, MessageError, OSError, ValueError, TypeError, KeyError) as error:
            raise self._failure() from error
        finally:
            if not self._whole:
                self._kill()

    def _frames(self, needed: int) -> Iterator[Frame]:
        """Yield the frames of the answer. needed: number of frames that the video must have. Raises ShortVideoError,
        VideoError."""
        while not self._whole:
            head, part = self._answer()
            if head["kind"] == "short":
                raise ShortVideoError(_number(head["found"]), needed)
            height, width = map(_number, head["size"])
            quality = head["jpeg_quality"]
            yield Frame(
                part.reshape(height, width, 3),
                None if quality is None else _number(quality),
                damaged=head["damaged"] is True,
                transparent=head["transparent"] is True,
                time=Time.from_head(head["time"]),
            )

    def _answer(self) -> tuple[dict[str, Any], Part]:
        """Return the next head that is not a sign of life, and the bytes after it. Raises VideoError."""
        while True:
            with self._waited_for():
                head, (part,) = read_message(self._answers, most_bytes=3 * self._limits.pixels)
            self._ready = True
            if head["kind"] != "alive":
                break
        self.decoded = _number(head["decoded"])
        self._whole = head["kind"] != "frame" or head["last"] is True
        if head["kind"] == "error":
            raise VideoError(str(head["message"]))
        if head["kind"] == "fault":
            advice = (
                "no memory is left: end what else uses it, or raise the limit (ulimit -v)"
                if head["out_of_memory"] is True
                else "expected versions of PyAV and Pillow that this package asks for; "
                f"`{sys.executable} -m pip check` says whether they are such, and if so, please report this"
            )
            raise DecoderError(
                f"videos cannot be decoded here, and none of them is at fault ({head['message']}): {advice}"
            )
        return head, part

    @contextlib.contextmanager
    def _waited_for(self) -> Iterator[None]:
        self._silent_seconds = 0.0
        try:
            yield
        finally:
            self._silent_seconds = None

    def _kill(self) -> None:
        self._killed = True  # the process may still run for a moment
        self._process.kill()

    def _failure(self) -> DecoderError | LostDecoderError:
        """Return the error that says what became of the process."""
        advice = "convert the video, for instance with ffmpeg, or leave it out"
        if self._hung:
            silence = f"{self._limits.silence_seconds:g} seconds"
            return LostDecoderError(f"cannot be decoded: the decoder gave no sign of life for {silence}; {advice}")
        try:
            code = self._process.wait(_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            return LostDecoderError(f"cannot be decoded: the decoder's answer makes no sense; {advice}")
        how = f"signal {-code}, {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._complaints.seek(0)
        lines = self._complaints.read(_COMPLAINT_BYTES).decode(errors="replace").strip().splitlines()
        complaint = f": {lines[-1]}" if lines else ""
        if not self._ready:
            return _no_start(f"{how}{complaint}")
        if how.endswith("SIGKILL"):
            advice = "a system that runs out of memory does so: use fewer workers, or leave the video out"
        return LostDecoderError(f"cannot be decoded: the decoder died ({how}){complaint}; {advice}")


def _no_start(why: str, limit: str | None = None) -> DecoderError:
    """Return the error that says so. limit: the option of ulimit that stands in the way, if that is known."""
    advice = (
        f"raise the limit (ulimit {limit}), or take fewer workers"
        if limit
        else f"expected {sys.executable} -m fvd_bench.videos.decoding to run: see whether NumPy can be imported there, "
        "and whether memory, processes and open files are left"
    )
    return DecoderError(f"the process that decodes videos does not start ({why}); {advice}")


def _limit_of(error: OSError) -> str | None:
    return "-n" if is_out_of_files(error) else "-u" if is_out_of_threads(error) else None


def _greys(part: Part) -> Greys:
    """Return the frames in the bytes of an answer. Raises ValueError."""
    return part.view("<f4").reshape(-1, SIDE, SIDE).astype(np.float32)


def _number(value: object) -> int:
    """Check a count from the other process. Raises ValueError."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _environment() -> dict[str, str]:
    """Return the environment of the decoding process.

    It finds modules where this process does, and takes no more threads than it needs. It keeps freed memory for the
    next frames (only glibc knows these variables), since getting the pages of each frame from the system and giving
    them back takes half as long as decoding it.
    """
    folders = [str(Path(folder).absolute()) for folder in sys.path]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    memory = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**27)}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), **one, **memory}
