"""What people should know before they believe a score or use a set of videos, in words and as a code for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

NAMED = 3
"""Videos that a sentence names; it counts the others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was noticed and did not stop the work.

    code: a short fixed word for machines. message: a sentence for people, which names the first of the videos. videos:
    every video that it is about, with what there is to say of each; empty where it is about no single ones. side: whose
    videos these are, None where it is about both sides or about neither.
    """

    code: str
    message: str
    videos: Mapping[str, str] = field(default_factory=dict)
    side: str | None = None

    @classmethod
    def of(cls, code: str, what: str, videos: Mapping[str, str], *, side: str | None = None) -> Finding:
        """A finding on some videos, whose message says what they have in common and names the first."""
        return cls(code, f"{what}: {some(videos)}", videos, side)


def of_side(side: str, findings: Iterable[Finding]) -> list[Finding]:
    """The same findings as those of one side."""
    return [replace(finding, side=side) for finding in findings]


def some(videos: Mapping[str, str]) -> str:
    """The first videos, each with what there is to say of it."""
    named = [f"{name} ({why})" if why else name for name, why in list(videos.items())[:NAMED]]
    more = len(videos) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
