"""What people should know before they believe a score, in words and as a code for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NAMED = 3
"""Videos that a sentence names; it counts the others."""


@dataclass(frozen=True, slots=True)
class Warned:
    """A finding that did not stop the run. code: a short fixed word for machines."""

    code: str
    message: str


def some(videos: Mapping[str, str]) -> str:
    """The first videos, each with what there is to say of it."""
    named = [f"{name} ({why})" if why else name for name, why in list(videos.items())[:NAMED]]
    more = len(videos) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
