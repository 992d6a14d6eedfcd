"""Numbers as people read them: scores, their changes and their intervals."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Write a score: two decimals, more where it is small, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"


def signed(change: float) -> str:
    """Write a change of a score, with its sign."""
    return f"{'+' if change >= 0 else '-'}{number(abs(change))}"


def span(interval: tuple[float, float] | None) -> str:
    """Write an interval, a dash where there is none."""
    return "–" if interval is None else f"{number(interval[0])} to {number(interval[1])}"
