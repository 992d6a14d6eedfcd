"""Text from elsewhere, such as names of files, made safe to show: no terminal or report obeys anything in it."""

from __future__ import annotations

import re

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Characters that terminals and logs obey, characters that turn the direction of text, and bytes that are not
characters."""

_BUT_LINES = re.compile(f"[{_CONTROLS}]")
_ALL = re.compile(rf"[\t\n{_CONTROLS}]")


_TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\\": "\\textbackslash{}", "–": "--",
    "±": "$\\pm$", "×": "$\\times$", "↓": "$\\downarrow$", "↑": "$\\uparrow$",
    "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}",
}  # fmt: skip
"""Character -> how LaTeX writes it."""


def escaped(text: str) -> str:
    r"""Return text on one line, with control characters written as \n, \x1b or \u202e."""
    return _ALL.sub(_shown, text)


def escaped_lines(text: str) -> str:
    """Return text with its lines and tabs, and with other control characters as in `escaped`."""
    return _BUT_LINES.sub(_shown, text)


def in_html(text: str) -> str:
    """Return text on one line as HTML in which it means nothing but itself, in quotes too."""
    from html import escape

    return escape(escaped(text))


def in_csv(text: str) -> str:
    """Return text on one line as a field of CSV, with ' before what a spreadsheet would run as a formula."""
    shown = escaped(text)
    return f"'{shown}" if is_formula(shown) else shown


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet would take the text of a cell for a formula."""
    return text.startswith(("=", "+", "-", "@"))


def in_latex(text: str) -> str:
    """Return text on one line as LaTeX in which it means nothing but itself."""
    return "".join(_TEX.get(character, character) for character in escaped(text))


def redact(text: str) -> str:
    """Return a text without the user names, passwords and queries (tokens, signatures) of the addresses in it."""
    return re.sub(r"(?<=://)[^/\s'\"]*@", "***@", re.sub(r"\?[^\s'\")]+", "?***", text))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogate for a byte that is not a character
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()
