"""Numbers as people read them: scores, changes, intervals, counts, places, percents, and lengths of time; and names."""

from __future__ import annotations

from collections.abc import Iterable


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


def counted(count: int, noun: str, verb: str = "", *, of: int | None = None, form: str = "") -> str:
    """Write how many there are of something: 1 frame, 2 frames, 1 frame is, 2 of 5 frames are.

    noun: in the singular, of a regular plural. verb: what follows, in the plural. of: how many there are in all.
    form: of the numbers, as for `format`.
    """
    number_of = format(count, form) if of is None else f"{count:{form}} of {of:{form}}"
    things = noun if (count if of is None else of) == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number_of} {things} {agreeing(count, verb)}" if verb else f"{number_of} {things}"


def agreeing(count: int, verb: str) -> str:
    """Return a verb, given in the plural, as it follows so many things."""
    return verb if count != 1 else _SINGULAR.get(verb, f"{verb}s")


_SINGULAR = {"are": "is", "were": "was", "have": "has"}


def listed(names: Iterable[str], most: int = 3) -> str:
    """Write the first of some names, and how many more there are: a, b, c and 4 more."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def ordinal(place: int) -> str:
    """Write the place of something in a row: 1st, 2nd, 3rd, 4th, 11th, 22nd."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


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
