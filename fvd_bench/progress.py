"""What long work tells of itself."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""A function that shows progress: it is called with what is being done, how much is done, and how much there is."""


def silent(what: str, done: int, total: int) -> None:
    """A Progress that shows nothing."""
