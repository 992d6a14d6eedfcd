"""What a score means, beside what real videos score against others of their kind: a tone, and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fvd_bench.estimate import Estimate, doubts
from fvd_bench.evaluation.result import Result
from fvd_bench.finding import WRONG, Finding
from fvd_bench.reports.page.page import Tone
from fvd_bench.words import number

_FEW_FLOORS = 3.0
"""Up to so many floors a score is fair, and beyond it is bad."""


def distrust(findings: Sequence[Finding]) -> str:
    """Say what makes a score not what it seems, empty where nothing does."""
    codes = {finding.code for finding in findings}
    wrong = dict.fromkeys(what for code, what in WRONG.items() if code in codes)
    return f"Do not trust this number: {'; '.join(wrong)}." if wrong else ""


def distrust_each(results: Mapping[str, Result]) -> str:
    """Say the same of several results, each by its name."""
    said = {name: distrust(result.warnings) for name, result in results.items()}
    return " ".join(f"{name}: {sentence}" for name, sentence in said.items() if sentence)


def meaning(value: float, interval: tuple[float, float] | None, floor: Estimate | None) -> tuple[Tone, str]:
    """Return the tone of a score, and the end of the sentence about it."""
    found = doubts(value, interval, floor)
    if "too-few-to-say" in found:
        return "unsure", ": with so few videos it says nothing."
    if floor is None or floor.value <= 0:
        return "unsure", "."
    if "at-the-floor" in found:
        return "good", f": cannot be told from real videos, which score {number(floor.value)} against their own kind."
    times = value / floor.value
    tone: Tone = "fair" if times <= _FEW_FLOORS else "bad"
    return tone, f": {times:.1f} times the {number(floor.value)} that real videos score against their own kind."
