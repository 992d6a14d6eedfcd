"""How Matplotlib writes figures: the same numbers give the same bytes, text stays text, and names may have dollars."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGES = (".png", ".svg")
"""Endings of the files that a figure can be saved to."""

SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "fvd-bench", "text.parse_math": False}
"""Matplotlib's settings. Without a salt the same drawing would have other ids each time."""


def saved(figure: Callable[[], Figure], form: str) -> bytes:
    """Return the file of a figure. figure: makes it. form: one of IMAGES."""
    import matplotlib

    with matplotlib.rc_context({**SETTINGS, "font.size": 9.5}), io.BytesIO() as out:
        dateless = {"Date": None} if form == ".svg" else None  # with a date, the bytes would be others each time
        figure().savefig(out, format=form[1:], dpi=160, metadata=dateless)
        return out.getvalue()


def element(document: str) -> str:
    """Return the element of an SVG document, without what stands before it, for a page."""
    return document[document.index("<svg") :]
