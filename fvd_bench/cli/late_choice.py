"""A choice among names that a module has which takes long to load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import click


class LateChoice(click.Choice[str]):
    """A choice whose names are looked up when one is given, offered or shown, and not when commands are listed.

    find: imports the module, and returns the names.
    """

    def __init__(self, find: Callable[[], Sequence[str]]) -> None:
        self.case_sensitive = True
        self._find = find

    @cached_property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]  # made late, and not set
        return tuple(self._find())
