"""Numbers as people read them: parts of a hundred, and lengths of time."""

from __future__ import annotations


def percent(part: float | None, form: str = ".0%") -> str:
    """Write a fraction as percents, a dash where there is none. form: as for `format`."""
    return "–" if part is None else format(part, form).replace("%", " %")


def duration(seconds: float) -> str:
    """Write a length of time: 0.52 seconds, 45 seconds, 12 minutes, 3 h 05 min, 4 days, 2 years."""
    if seconds < 90:
        return f"{seconds:.0f} seconds" if seconds >= 10 else f"{seconds:.2g} seconds"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} minutes"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    days = seconds / 86400
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.0f} years"
