"""Names that documented modules had before the package had rooms: importing one gives the module of today."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

FORMER = {
    "fvd_bench.fingerprint": "fvd_bench.networks.fingerprint",
    "fvd_bench.gate": "fvd_bench.evaluation.comparison",
    "fvd_bench.manifest": "fvd_bench.evaluation.manifest",
    "fvd_bench.precomputed": "fvd_bench.evaluation.statistics",
    "fvd_bench.replay": "fvd_bench.evaluation.replay",
    "fvd_bench.report": "fvd_bench.reports.tables",
    "fvd_bench.weights": "fvd_bench.networks.weights",
}
"""Name -> the module that it stands for."""


class _Former(MetaPathFinder, Loader):
    """Finds a former name when nothing else has that name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in FORMER else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(FORMER[module.__name__])


def keep_former_names() -> None:
    """Let imports of former names succeed in this process."""
    if not any(isinstance(finder, _Former) for finder in sys.meta_path):
        sys.meta_path.append(_Former())
