"""FVD and FID for video generators, with the exact protocol in every number."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fvd_bench.former_names import keep_former_names

if TYPE_CHECKING:
    from fvd_bench import errors, integrations, reports, sources  # noqa: F401
    from fvd_bench.errors import FvdBenchError
    from fvd_bench.evaluation import manifest, replay  # noqa: F401
    from fvd_bench.evaluation.comparisons import comparison as gate  # noqa: F401
    from fvd_bench.evaluation.comparisons.rank import rank
    from fvd_bench.evaluation.comparisons.ranking import Ranking
    from fvd_bench.evaluation.evaluate import evaluate
    from fvd_bench.evaluation.online.metric import FrechetVideoDistance
    from fvd_bench.evaluation.result import Result
    from fvd_bench.evaluation.score import Score
    from fvd_bench.evaluation.statistics import making as precomputed  # noqa: F401
    from fvd_bench.finding import FvdBenchWarning
    from fvd_bench.inspection import checkup as doctor  # noqa: F401
    from fvd_bench.metrics.frechet import frechet_distance
    from fvd_bench.networks import fingerprint, weights  # noqa: F401
    from fvd_bench.networks.declared import network
    from fvd_bench.paired.evaluate import evaluate_paired
    from fvd_bench.paired.result import PairedResult
    from fvd_bench.plugins import allow_code
    from fvd_bench.protocols.protocol import Protocol
    from fvd_bench.reports import scores as report  # noqa: F401
    from fvd_bench.settings import Settings
    from fvd_bench.sources.opening import Arrays, GeneratorSource
    from fvd_bench.version import __version__

__all__ = [
    "Arrays",
    "FrechetVideoDistance",
    "FvdBenchError",
    "FvdBenchWarning",
    "GeneratorSource",
    "PairedResult",
    "Protocol",
    "Ranking",
    "Result",
    "Score",
    "Settings",
    "__version__",
    "allow_code",
    "evaluate",
    "evaluate_paired",
    "frechet_distance",
    "network",
    "rank",
]

_HOMES = {
    "Arrays": "fvd_bench.sources.opening",
    "FrechetVideoDistance": "fvd_bench.evaluation.online.metric",
    "FvdBenchError": "fvd_bench.errors",
    "FvdBenchWarning": "fvd_bench.finding",
    "GeneratorSource": "fvd_bench.sources.opening",
    "PairedResult": "fvd_bench.paired.result",
    "Protocol": "fvd_bench.protocols.protocol",
    "Ranking": "fvd_bench.evaluation.comparisons.ranking",
    "Result": "fvd_bench.evaluation.result",
    "Score": "fvd_bench.evaluation.score",
    "Settings": "fvd_bench.settings",
    "__version__": "fvd_bench.version",
    "allow_code": "fvd_bench.plugins",
    "evaluate": "fvd_bench.evaluation.evaluate",
    "evaluate_paired": "fvd_bench.paired.evaluate",
    "frechet_distance": "fvd_bench.metrics.frechet",
    "network": "fvd_bench.networks.declared",
    "rank": "fvd_bench.evaluation.comparisons.rank",
}

_FORMER = {
    "doctor": "inspection.checkup",
    "fingerprint": "networks.fingerprint",
    "gate": "evaluation.comparisons.comparison",
    "manifest": "evaluation.manifest",
    "precomputed": "evaluation.statistics.making",
    "replay": "evaluation.replay",
    "report": "reports.scores",
    "weights": "networks.weights",
}

_MODULES = ("errors", "integrations", "reports", "sources", *_FORMER)
"""Modules that the documentation speaks of. After `import fvd_bench` they need no import of their own."""

_MOVED = {
    "evaluation.exhibits": "evaluation.details.exhibits",
    **dict.fromkeys(("training", "evaluation.intake", "evaluation.online_pickles"), "evaluation.online.pickles"),
}
"""Modules that have another place now: of the documentation, and those that pickles of earlier versions name."""

keep_former_names({f"fvd_bench.{name}": f"fvd_bench.{module}" for name, module in (_FORMER | _MOVED).items()})


def __getattr__(name: str) -> object:
    """Load public names and modules when they are first used, so that the command line starts at once."""
    from fvd_bench.system import check_system

    check_system()
    if name in _MODULES:
        return importlib.import_module(f"fvd_bench.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'fvd_bench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Offer the public names and modules to those who press Tab, loaded or not."""
    return sorted({*__all__, *_MODULES})
