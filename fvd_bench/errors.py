"""Every error that fvd-bench raises for a mistake of its input or its surroundings.

FvdBenchError
├── ProtocolError         a protocol file that cannot be read, or that asks for something impossible
├── WeightsError          network weights missing, damaged, or not the ones expected
├── SourceError           a whole side that cannot be used: missing, empty, not permitted, too few clips
├── VideoError            one video that cannot be used; the pipeline skips and names it
│   └── ShortVideoError   fewer frames decode than a clip needs
├── DecoderError          the process that decodes video files does not start
├── FeatureError          a network gave NaN or infinite features
├── MetricError           statistics that no metric can be computed from
├── ResultError           a file that is no result, or none that this version can read
├── NotComparableError    two results that were not made the same way (exit code 4)
├── CacheError            the feature store cannot be written
└── SelftestError         a published number was not reproduced

Mistakes of our own are assertions. The command line catches FvdBenchError once and exits with `exit_code`.
"""


class FvdBenchError(Exception):
    """Base of all errors that a user can act on; the message says what was found and what to do."""

    exit_code = 3


class ProtocolError(FvdBenchError):
    """A protocol cannot be loaded, or cannot be followed here."""


class WeightsError(FvdBenchError):
    """Network weights are missing, damaged or not the expected ones."""


class SourceError(FvdBenchError):
    """A whole side (real or fake) cannot be used."""


class VideoError(FvdBenchError):
    """One video cannot be used. The pipeline skips it, names it and counts it."""


class ShortVideoError(VideoError):
    """Fewer frames decode than the clip needs.

    found: frames that decode; needed: frames that the protocol asks for.
    """

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(f"too short: {found} frames decode, the clip needs {needed}")
        self.found = found
        self.needed = needed

    def __reduce__(self) -> tuple[type["ShortVideoError"], tuple[int, int]]:
        return type(self), (self.found, self.needed)


class DecoderError(FvdBenchError):
    """The process that decodes video files does not start, whatever the video."""


class FeatureError(FvdBenchError):
    """A network gave NaN or infinite features."""


class MetricError(FvdBenchError):
    """The statistics do not determine the metric."""


class ResultError(FvdBenchError):
    """A text is no result of a schema that this version reads."""


class NotComparableError(FvdBenchError):
    """Two scores differ in more than the fake videos: protocol, weights, numbers of videos or real videos."""

    exit_code = 4


class CacheError(FvdBenchError):
    """The feature store cannot be opened or written."""


class SelftestError(FvdBenchError):
    """A published number was not reproduced."""
