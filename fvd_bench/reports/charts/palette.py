"""The colours of all that is drawn and of the page around it, by what they stand for."""

from __future__ import annotations

from collections.abc import Mapping

LIGHT = {
    "ink": "#17212b", "soft": "#5a6b7c", "line": "#dde3ea", "page": "#ffffff", "card": "#f5f7f9",
    "real": "#0b7285", "fake": "#b8500c", "score": "#1558b0", "floor": "#76838f", "limit": "#0f8a5f",
    "mild": "#b3832b", "strong": "#d9480f", "worst": "#a3123a",
    "second": "#b5480d", "third": "#0b7a55", "fourth": "#8a3b8f", "fifth": "#a10f2b", "sixth": "#4d5a68",
    "good": "#0b7a4b", "fair": "#96690a", "bad": "#b3261e",
}  # fmt: skip
"""Role -> colour on white. No two roles share one, so that a drawing can be given other colours."""

INK, SOFT, LINE, PAGE, REAL, FAKE, SCORE, FLOOR, LIMIT, MILD, STRONG, WORST = (
    LIGHT[role] for role in "ink soft line page real fake score floor limit mild strong worst".split()
)
"""Charts are drawn in these. On a page each becomes the variable of its role."""

DARK = {
    "ink": "#e4eaf0", "soft": "#9aa9b8", "line": "#2e3a46", "page": "#11171d", "card": "#1a222a",
    "real": "#4fc3d9", "fake": "#ff9f5a", "score": "#6aa9ff", "floor": "#8b99a7", "limit": "#45c796",
    "mild": "#a8843f", "strong": "#ff8a4c", "worst": "#ff5f86",
    "second": "#ffa066", "third": "#4bc99a", "fourth": "#d08bd6", "fifth": "#ff6b81", "sixth": "#a3b1bf",
    "good": "#4fd19a", "fair": "#e0b04a", "bad": "#ff7b72",
}  # fmt: skip
"""The same roles in the dark."""

EITHER = {
    "ink": "#767676", "soft": "#7a7a7a", "line": "#8c8c8c", "score": "#2f7fd6", "floor": "#8a8f96", "limit": "#1f9d6b",
}  # fmt: skip
"""What a chart of scores has where nobody knows whether the ground is light or dark, as in a notebook: 3 to 1 or more
on both."""

SERIES = ("score", "second", "third", "fourth", "fifth", "sixth")
"""The roles of several curves in one chart."""


def variables(colours: Mapping[str, str]) -> str:
    """Return the declarations of CSS that give each role its colour."""
    return "; ".join(f"--{role}: {colour}" for role, colour in colours.items())
