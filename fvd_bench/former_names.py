"""Former names of documented modules: importing one gives the module of today."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def keep_former_names(names: Mapping[str, str]) -> None:
    """Let imports of former names succeed in this process. names: the module of today by former name."""
    sys.meta_path.append(_Former(names))


class _Former(MetaPathFinder, Loader):
    """Finds a former name where nothing else has that name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in self._names else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._names[module.__name__])
