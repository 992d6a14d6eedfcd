"""What people should know before they believe a score or use a set of videos, in words and as a code for machines."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fvd_bench.escapes import escaped
from fvd_bench.words import counted, listed

WRONG = {
    "same-videos": "both sides hold the same videos",
    "shared-files": "some videos are on both sides",
    "shared-frames": "some videos are on both sides",
    "clipped-range": "values lie outside of the stated range and are clipped",
    "value-range": "values use little of their range",
    "shard-alone": "a shard is used as if it were a whole side",
    "real-again": "real videos were handed over twice",
    "psnr-wraps": "PSNR wraps around, as its code does",
    "replay-differs": "the recorded score was not found again",
}
"""Code of a finding after which a score is not what it seems -> what it says, in a few words."""

HEADLINES = {
    **WRONG,
    "fake-still": "the fake videos hardly move",
    "fake-loops": "the fake videos repeat themselves",
    "drift": "the fake videos change over time",
    "short-for-windows": "some windows are of fewer videos",
    "unreadable": "some videos cannot be read",
    "two-sequences": "some folders hold the frames of two videos",
    "pairs-skipped": "some pairs are not compared",
    "unpaired": "some videos have no partner",
    "truncated": "some videos are cut off",
    "damaged": "some videos are damaged",
    "videos-damaged": "some videos are damaged",
    "black": "some videos are black",
    "frozen": "some videos stand still",
    "duplicate-files": "some videos are there twice",
    "duplicate-frames": "some videos are there twice",
    "not-independent": "the videos are windows of fewer ones",
    "sampled": "some metrics are of a sample",
    "videos-skipped": "some videos are skipped",
    "too-short": "some videos are too short",
    "transfer-mismatch": "the sides differ in dynamic range",
    "size-mismatch": "the sides differ in size",
    "rate-mismatch": "the sides differ in frame rate",
    "jpeg-mismatch": "the sides differ in JPEG quality",
    "jpeg-quality": "JPEG files have not the protocol's quality",
    "codec-mismatch": "the sides differ in codec",
    "hdr": "some videos are of high dynamic range",
    "interlaced": "some videos are interlaced",
    "frame-order": "the order of some frames is in doubt",
    "odd-images": "some images may be no frames",
    "missing-frames": "some frames are missing",
    "variable-rate": "some frames come at uneven times",
    "transparent": "some videos are transparent",
    "mixed-sizes": "the videos of a side differ in size",
    "mixed-rates": "the videos of a side differ in frame rate",
    "mixed-codecs": "the videos of a side differ in codec",
    "mixed-qualities": "the videos of a side differ in JPEG quality",
    "unequal-lengths": "some pairs differ in length",
    "size-changes": "some videos change their size",
    "pixel-aspect": "some pixels are not square",
    "mirrored": "some videos are mirrored",
    "several-streams": "some files hold several videos",
    "too-few-to-say": "so few videos say nothing",
    "at-the-floor": "the score cannot be told from chance",
    "mostly-chance": "most of the score is chance",
    "few-videos": "few videos, which bias the score",
    "class-missing": "some classes have videos on one side alone",
    "few-of-class": "few videos of some classes, which bias their scores",
    "fake-alike": "the fake videos all move by the same amount",
    "not-comparable": "the score is not that of the codebase that it is named after",
    "unknown-protocol": "the real side is of an unknown protocol",
    "made-elsewhere": "features were made by other software",
    "weights-unverified": "the weights are not verified",
    "repeats-equal": "all repeats are equal",
    "duplicate-starts": "some videos begin with the same frame",
    "listing": "not all that was given is used as it may be meant",
    "store-damaged": "the feature store was damaged",
}
"""Code of a finding -> what it says, in a few words. The worst comes first: what makes a score wrong, then what makes
it unlike others, then what makes it unsure."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was noticed and did not stop the work.

    code: a short fixed word for machines.
    message: a sentence for people, which names the first of the videos.
    videos: details by name, for every video that it is about. Empty where it is about no single videos.
    side: whose videos these are. None where it is about both sides, or about neither.
    """

    code: str
    message: str
    videos: Mapping[str, str] = field(default_factory=dict)
    side: str | None = None

    @classmethod
    def of(cls, code: str, what: str, videos: Mapping[str, str], *, side: str | None = None) -> Finding:
        """Make a finding about some videos. Its message says what they have in common and names the first of them."""
        return cls(code, f"{what}: {some(videos)}", videos, side)


class FvdBenchWarning(UserWarning):
    """A finding as Python warns of it: shown once for each line that asks, and silenced or made an error as any other.

    finding: what was found, with its code.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding

    def __str__(self) -> str:
        return escaped(self.finding.message)


def warn_of(findings: Iterable[Finding], *, stacklevel: int) -> None:
    """Warn of each finding. stacklevel: 1 for a warning that points at the caller, 2 for the caller's caller."""
    for finding in findings:
        warnings.warn(FvdBenchWarning(finding), stacklevel=stacklevel + 1)


class Note(str):
    """A sentence about a source of videos. code: that of the finding that it becomes."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, sentence: str, code: str = "listing") -> Note:
        note = super().__new__(cls, sentence)
        note.code = code
        return note


def noted(sentence: str) -> Finding:
    """Return the finding that a note of a source becomes."""
    return Finding(sentence.code if isinstance(sentence, Note) else "listing", str(sentence))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings in the order of HEADLINES, each once, of each side. Codes that are not there come last, as they
    came."""
    order = {code: place for place, code in enumerate(HEADLINES)}
    each = {(finding.code, finding.message, finding.side): finding for finding in findings}
    return sorted(each.values(), key=lambda finding: order.get(finding.code, len(order)))


def messages(findings: Iterable[Finding]) -> list[str]:
    """Return what findings say, the worst first, each sentence once, for reports that do not name the side."""
    return list(dict.fromkeys(finding.message for finding in worst_first(findings)))


def of_side(side: str, findings: Iterable[Finding]) -> list[Finding]:
    """Return the same findings as findings about one side."""
    return [replace(finding, side=side) for finding in findings]


def videos_skipped(side: str, videos: Mapping[str, str]) -> Finding:
    """Return the finding on videos of a side that are left out. videos: name -> why."""
    return Finding.of("videos-skipped", f"{counted(len(videos), f'{side} video', 'are')} skipped", videos, side=side)


def some(videos: Mapping[str, str]) -> str:
    """Name the first videos, each with its details, and count the others. Details that all share are given once."""
    shared = set(videos.values())
    if len(videos) > 1 and len(shared) == 1 and any(shared):
        return f"{listed(videos)} (each {shared.pop()})"
    return listed(f"{name} ({why})" if why else name for name, why in videos.items())
