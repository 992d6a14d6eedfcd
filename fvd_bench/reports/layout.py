"""How results stand in a terminal of any width: a record for one thing, a grid for several, and prose.

Nothing is ever cut. Text is broken between words; a number, a name or a path that is longer than a line is left to the
terminal, which wraps it and copies it whole. Print with `console.print(…, crop=False)`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fvd_bench.escapes import escaped

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

_GAP = 2
_INDENT = 2
_READABLE = 100
"""The most columns of prose: longer lines are hard to read."""

_LEAST_PROSE = 28
"""Columns that prose needs to stand in a grid rather than below its row."""

_PERCENT = re.compile(r"(?<=\d) (?=%)")
_JOINED = "\x1f"
"""What stands for a space where no line may end. `escaped` leaves no such character in a text."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Sentences, broken between words. indent: number of spaces before each line. label: what the first line has
    instead."""

    text: str
    indent: int = 0
    style: str = ""
    label: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = max(self.indent, _width(self.label))
        for number, line in enumerate(wrapped(escaped(self.text), min(options.max_width, _READABLE) - indent)):
            yield _line((_padded("" if number else self.label, indent), "bold"), (line, self.style))


@dataclass(frozen=True, slots=True)
class Record:
    """One thing in a few lines: a title, and below it a name and a text for each of its fields.

    more: what stands beside the title, or below it where the line is too short.
    """

    title: str
    fields: Sequence[tuple[str, str]]
    more: str = ""
    style: str = "bold"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        title, more = escaped(self.title), escaped(self.more)
        if not more or _width(title) + _GAP + _width(more) <= options.max_width:
            yield _line((title, self.style), (" " * _GAP + more, ""))
        else:
            yield _line((title, self.style))
            yield Prose(more, _INDENT)
        names = [escaped(name) for name, _ in self.fields]
        left = _INDENT + max(map(_width, names), default=0) + _GAP
        for name, (_, text) in zip(names, self.fields, strict=True):
            for number, line in enumerate(wrapped(escaped(text), options.max_width - left)):
                yield _line((_padded(" " * _INDENT + (name if number == 0 else ""), left), "dim"), (line, ""))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a grid.

    is_number: right-aligned. is_prose: sentences, which may be broken; the texts of other columns are not.
    """

    heading: str
    is_number: bool = False
    is_prose: bool = False
    style: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Several things, a row each. Columns that are empty in every row are left out.

    Where the lines are too short for a table, prose stands below its row, then the first column above its row; at last
    each row is a record.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows)

    def used(self) -> Grid:
        """Return the grid without its empty columns."""
        kept = [place for place in range(len(self.columns)) if any(row[place] for row in self.rows)]
        return Grid([self.columns[k] for k in kept], [[row[k] for k in kept] for row in self.rows])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        used = self.used()
        if used.columns:
            columns = [replace(column, heading=escaped(column.heading)) for column in used.columns]
            rows = [[escaped(text) for text in row] for row in used.rows]
            yield from _Layout(columns, rows, options.max_width).lines()


class _Layout:
    """A grid in lines of a given width. In each layout some columns stand in a table, and the others around it."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> None:
        self.columns = columns
        self.rows = rows
        self.width = width
        self.natural = [
            max([_width(column.heading), *(_width(row[place]) for row in rows)]) for place, column in enumerate(columns)
        ]
        self.prose = [place for place, column in enumerate(columns) if column.is_prose]
        self.fixed = [place for place, column in enumerate(columns) if not column.is_prose]

    def lines(self) -> Iterator[RenderableType]:
        everything = range(len(self.columns))
        least = sum(min(self.natural[place], max(_LEAST_PROSE, self._longest_word(place))) for place in self.prose)
        if self._needed(self.fixed) + least + _GAP * len(self.prose) <= self.width:
            yield from self._table(everything)
        elif self.fixed and self._needed(self.fixed) <= self.width:
            yield from self._table(self.fixed, below=self.prose)
        elif len(self.fixed) > 1 and _INDENT + self._needed(self.fixed[1:]) <= self.width:
            yield from self._table(self.fixed[1:], above=self.fixed[0], below=self.prose)
        else:
            for row in self.rows:
                fields = [(c.heading, text) for c, text in zip(self.columns[1:], row[1:], strict=True) if text]
                yield Record(row[0], fields)

    def _longest_word(self, place: int) -> int:
        return max((_width(word) for row in self.rows for word in row[place].split()), default=0)

    def _needed(self, places: Sequence[int]) -> int:
        return sum(self.natural[place] for place in places) + _GAP * max(len(places) - 1, 0)

    def _table(
        self, places: Sequence[int], *, above: int | None = None, below: Sequence[int] = ()
    ) -> Iterator[RenderableType]:
        indent = 0 if above is None else _INDENT
        widths = dict.fromkeys(places, 0) | {place: self.natural[place] for place in places if place in self.fixed}
        prose = [place for place in places if place in self.prose]
        free = self.width - sum(widths.values()) - _GAP * (len(places) - 1)
        for count, place in enumerate(sorted(prose, key=lambda place: self.natural[place])):
            widths[place] = min(self.natural[place], free // (len(prose) - count))
            free -= widths[place]
        headings = [[self.columns[place].heading] for place in places]
        if any(map(any, headings)):
            if above is not None:
                yield _line((self.columns[above].heading, "dim"))
            yield from self._row(places, headings, widths, indent, style="dim")
            yield _line((" " * indent, ""), ("─" * (sum(widths.values()) + _GAP * (len(places) - 1)), "dim"))
        for row in self.rows:
            if above is not None:
                yield _line((row[above], self.columns[above].style))
            texts = [wrapped(row[p], widths[p]) if p in self.prose else [row[p]] for p in places]
            yield from self._row(places, texts, widths, indent)
            for place in below:
                if row[place]:
                    yield Prose(row[place], 2 * _INDENT, self.columns[place].style)

    def _row(
        self,
        places: Sequence[int],
        texts: Sequence[Sequence[str]],
        widths: dict[int, int],
        indent: int,
        style: str | None = None,
    ) -> Iterator[RenderableType]:
        for number in range(max(map(len, texts))):
            parts = [(" " * indent, "")]
            for place, text in zip(places, texts, strict=True):
                column, shown = self.columns[place], text[number] if number < len(text) else ""
                before = widths[place] - _width(shown) if column.is_number else 0
                after = 0 if place == places[-1] or column.is_number else widths[place] - _width(shown)
                gap = _GAP if place != places[-1] else 0
                parts.append((" " * before + shown + " " * (after + gap), column.style if style is None else style))
            yield _line(*parts)


def wrapped(text: str, width: int) -> list[str]:
    """Break text between words into lines of at most `width` columns. A word that is longer keeps a line of its own.

    A number and its percent sign are one word.
    """
    lines = textwrap.wrap(
        _PERCENT.sub(_JOINED, text), max(width, _LEAST_PROSE), break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_JOINED, " ") for line in lines] or [""]


def _line(*parts: tuple[str, str]) -> Text:
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ignore")
    for text, style in parts:
        line.append(text, style or None)
    line.rstrip()
    return line


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
