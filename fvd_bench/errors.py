"""Every error that fvd-bench raises for a mistake in its input or its surroundings.

FvdBenchError
├── ArgumentError         a value that an argument cannot have (exit code 2)
├── ProtocolError         a protocol file that cannot be read, or that asks for something impossible
│   └── UnknownProtocolError  a name or version that no protocol has (exit code 2)
├── NetworkError          code of another package or of the user's own, a network or a metric, does not do what it says,
│                         or a package that a network needs is not installed
├── WeightsError          network weights missing, damaged, or not the ones expected
│   ├── AbsentWeightsError    weights that are neither here nor to be had
│   └── UnknownWeightsError   a name that no weights have (exit code 2)
├── SourceError           a whole side that cannot be used: missing, empty, not permitted, too few clips
│   └── UnknownReferenceError  a name or digest that no reference has (exit code 2)
├── VideoError            one video that cannot be used; the pipeline skips and names it
│   └── ShortVideoError   fewer frames decode than a clip needs
├── DecoderError          the process that decodes videos does not start, or no video can be decoded by it
├── FeatureError          a network does not accept the clips, or gave NaN or infinite features
├── MetricError           statistics that no metric can be computed from
├── ResultError           a file that is not a result, or not one that this version can read
├── NotComparableError    two results that were not made the same way (exit code 4)
├── ManifestError         a file that is not a manifest, or videos and frames that are not those of one
├── CacheError            the feature store cannot be opened, read or written
├── OutputError           stdout, or a file that was asked for, cannot be written
├── EngineError           the engine that was asked for is not installed, cannot be reached, or has lost a worker
├── EndedElsewhereError   another process of the same run has failed
└── SelftestError         a published number was not reproduced

Our own mistakes are assertions. The command line catches FvdBenchError once and exits with `exit_code`. Any other
exception is a fault of ours, and exits with EXIT_OF_FAULTS, unless it says that memory, files or threads have run out.
"""

import errno
import os

from fvd_bench.words import counted

EXIT_OF_USAGE = 2
"""Exit code where something was typed wrong: an option, the value of one, or a name."""

EXIT_OF_FAULTS = 70
"""Exit code after an exception that is a fault of our own: EX_SOFTWARE of sysexits.h."""


def cause(error: Exception) -> str:
    """Say why a file cannot be used: what the system says, without its number and the path, which is named beside it;
    of other errors their text."""
    return str(getattr(error, "strerror", None) or error)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory has run out: Python's, torch's on the processor, or a GPU's."""
    if isinstance(error, MemoryError) or is_out_of_device_memory(error):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, ImportError):  # what the loader of shared libraries says, in a longer text of NumPy's
        return "failed to map segment" in str(error) or os.strerror(errno.ENOMEM) in str(error)
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # torch's allocator on a CPU


def is_out_of_files(error: BaseException) -> bool:
    """Return whether an exception says that no more files can be open at a time, in this process or on this machine."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def is_out_of_threads(error: BaseException) -> bool:
    """Return whether an exception says that the system gives no further thread or process: Python's, or fork's."""
    return (isinstance(error, RuntimeError) and "can't start new thread" in str(error)) or (
        isinstance(error, BlockingIOError) and error.errno == errno.EAGAIN
    )


def is_out_of_device_memory(error: BaseException) -> bool:
    """Return whether an exception is torch's that the memory of a GPU has run out. It is told by its name, since torch
    takes seconds to load."""
    return type(error).__name__ == "OutOfMemoryError"


class FvdBenchError(Exception):
    """Base of all errors that a user can act on. The message says what was found and what to do.

    has_lines: whether the message may have several lines. Otherwise line breaks in it come from names of files.
    """

    exit_code = 3
    has_lines = False

    @property
    def sentence(self) -> str:
        """The message in one sentence, for places that have no room for more."""
        return str(self)


class ArgumentError(FvdBenchError):
    """An argument has a value that it cannot have."""

    exit_code = EXIT_OF_USAGE


class ProtocolError(FvdBenchError):
    """A protocol cannot be loaded, or cannot be followed here."""


class UnknownProtocolError(ProtocolError):
    """No protocol that ships has this name or version: it was typed wrong."""

    exit_code = EXIT_OF_USAGE


class NetworkError(FvdBenchError):
    """A network of another package, or of the user's own, fails or does other than it says, or lacks a package."""


class WeightsError(FvdBenchError):
    """Network weights are missing, damaged or not the expected ones. The message may list the places where they were
    sought."""

    has_lines = True


class AbsentWeightsError(WeightsError):
    """Network weights are neither here nor to be had.

    message: with the places where they were sought. sentence: without these.
    """

    def __init__(self, message: str, sentence: str) -> None:
        super().__init__(message, sentence)

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def sentence(self) -> str:
        return str(self.args[1])


class UnknownWeightsError(WeightsError):
    """No weights have this name: it was typed wrong."""

    exit_code = EXIT_OF_USAGE


class SourceError(FvdBenchError):
    """A whole side (real or fake) cannot be used."""


class UnknownReferenceError(SourceError):
    """No reference has this name or digest, or several have: it was typed wrong."""

    exit_code = EXIT_OF_USAGE


class VideoError(FvdBenchError):
    """One video cannot be used. The pipeline skips it, names it and counts it."""


class ShortVideoError(VideoError):
    """Fewer frames decode than the clip needs.

    found: number of frames that decode.
    needed: number of frames that the protocol asks for.
    video: the name of the video, where the caller does not add it.
    """

    def __init__(self, found: int, needed: int, video: str = "") -> None:
        what = f"too short: {counted(found, 'frame', 'decode')}, the clip needs {needed}"
        super().__init__(f"{video} is {what}" if video else what)
        self.found = found
        self.needed = needed
        self.video = video

    def __reduce__(self) -> tuple[type["ShortVideoError"], tuple[int, int, str]]:
        return type(self), (self.found, self.needed, self.video)


class DecoderError(FvdBenchError):
    """The process that decodes videos and images does not start, or fails by a fault of its own, whatever the video
    is."""


class FeatureError(FvdBenchError):
    """A network does not accept clips of this shape, or gave NaN or infinite features."""


class MetricError(FvdBenchError):
    """The statistics do not determine the metric."""


class ResultError(FvdBenchError):
    """A text is not a result of a schema that this version reads."""


class NotComparableError(FvdBenchError):
    """Two scores differ in more than the fake videos: protocol, weights, numbers of videos or real videos."""

    exit_code = 4


class ManifestError(FvdBenchError):
    """A text is not a manifest, or the videos or frames that it names are not here."""


class CacheError(FvdBenchError):
    """The feature store cannot be opened, read or written."""


class OutputError(FvdBenchError):
    """Stdout, or a file that was asked for, cannot be written."""


class EngineError(FvdBenchError):
    """An engine for many machines is not installed, cannot be reached, cannot read a side, or has lost a worker."""


class EndedElsewhereError(FvdBenchError):
    """Another process of the same run has failed, and says itself why.

    rank: the failed process, or the one that noticed that another is gone.
    exit_code: the exit code of the failed process.
    """

    def __init__(self, rank: int, exit_code: int) -> None:
        super().__init__(
            f"a process of this run has failed or ended (seen with number {rank}); what is finished is kept, the same "
            "command goes on from there"
        )
        self.rank = rank
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type["EndedElsewhereError"], tuple[int, int]]:
        return type(self), (self.rank, self.exit_code)


class SelftestError(FvdBenchError):
    """A published number was not reproduced."""
