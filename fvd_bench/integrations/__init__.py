"""Other people's training loops and loggers: each module needs the package that it is named after."""

import importlib
from types import ModuleType

__all__ = ["lightning", "loggers", "torchmetrics"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is first used, since the others' packages may not be installed."""
    if name not in __all__:
        raise AttributeError(f"module 'fvd_bench.integrations' has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
