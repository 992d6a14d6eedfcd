"""What people should know before they believe a score or use a set of videos, in words and as a code for machines."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fvd_bench.escapes import escaped

NAMED = 3
"""Number of videos that a sentence names. It counts the others."""


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


def of_side(side: str, findings: Iterable[Finding]) -> list[Finding]:
    """Return the same findings as findings about one side."""
    return [replace(finding, side=side) for finding in findings]


def some(videos: Mapping[str, str]) -> str:
    """Name the first videos, each with its details, and count the others."""
    named = [f"{name} ({why})" if why else name for name, why in list(videos.items())[:NAMED]]
    more = len(videos) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
