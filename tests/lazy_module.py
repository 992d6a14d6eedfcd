"""Libraries that take seconds to import, of which each process of the tests would wait for all, and needs few."""

from __future__ import annotations

import importlib
from typing import Any

_OF_TESTS = {"__bases__", "__test__", "__wrapped__", "_mock_name"}
"""What pytest asks of all that a file has, to find tests in it."""


class LazyModule:
    """A module that is imported when a test first asks it for something."""

    def __init__(self, name: str) -> None:
        self._module_name = name

    def __getattr__(self, name: str) -> Any:
        if name in _OF_TESTS:
            raise AttributeError(name)
        return getattr(importlib.import_module(self._module_name), name)
