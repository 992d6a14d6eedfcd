"""Former names of documented modules: importing one gives the module of today."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


def keep_former_names(names: Mapping[str, str]) -> None:
    """Let imports of former names succeed in this process. names: the module of today by former name."""
    sys.meta_path.append(_Former(names))


class _Former:
    """Finds a former name where nothing else has that name, and loads its module.

    The abstract classes of finders and loaders take longer to import than all else that `import fvd_bench` needs.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self._names else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to make a module."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._names[module.__name__])
