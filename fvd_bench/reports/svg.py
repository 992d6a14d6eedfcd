"""How Matplotlib writes SVG: the same numbers give the same bytes, text stays text, and names may have dollars."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "fvd-bench", "text.parse_math": False}
"""Matplotlib's settings. Without a salt the same drawing would have other ids each time."""


def element(document: str) -> str:
    """Return the element of an SVG document, without what stands before it, for a page."""
    return document[document.index("<svg") :]
