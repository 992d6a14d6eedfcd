"""Numbers as people read them: scores, changes, intervals, percents, and lengths of time."""

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


def percent(part: float | None, form: str = ".0%") -> str:
    """Write a fraction as percents, a dash where there is none. form: as for `format`."""
    return "–" if part is None else format(part, form).replace("%", " %")


def duration(seconds: float) -> str:
    """Write a length of time: 0.52 seconds, 1 second, 45 seconds, 12 minutes, 3 h 05 min, 4 days, 2 years."""
    if seconds < 90:
        said = f"{seconds:.0f}" if seconds >= 10 else f"{round(seconds, 3):.2g}"
        return f"{said} second" if said == "1" else f"{said} seconds"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} minutes"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    days = seconds / 86400
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.0f} years"
