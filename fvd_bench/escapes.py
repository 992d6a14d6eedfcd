"""Text from elsewhere, such as names of files, made safe to be seen: nothing in it is obeyed by what shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""What terminals and logs obey, what turns the direction of text around, and bytes of names that are no characters."""

_BUT_LINES = re.compile(f"[{_CONTROLS}]")
_ALL = re.compile(rf"[\t\n{_CONTROLS}]")


def escaped(text: str) -> str:
    r"""Text on one line, its control characters as \n, \x1b or \u202e."""
    return _ALL.sub(_shown, text)


def escaped_lines(text: str) -> str:
    """Text whose lines and tabs stay; other control characters as in `escaped`."""
    return _BUT_LINES.sub(_shown, text)


def cell(text: str) -> Text:
    """A line of text in a table, or beside one, in which markup of rich is nothing either."""
    from rich.text import Text

    return Text(escaped(text))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no character, as Python names it
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()
