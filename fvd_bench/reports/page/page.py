"""A page: a verdict and sections of words, tables, charts and clips, written by templates that escape all text.

It is one file: no scripts, and nothing loaded from anywhere. Its Content-Security-Policy lets a browser show nothing
but what is inside it.
"""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fvd_bench.escapes import escaped, redact
from fvd_bench.evaluation.details.shown_clips import ShownClip
from fvd_bench.reports.charts.canvas import Chart
from fvd_bench.reports.charts.palette import DARK, LIGHT, variables
from fvd_bench.reports.layout import Grid
from fvd_bench.reports.page.clips import Films, films
from fvd_bench.version import __version__

MOST_BYTES = 3_000_000
"""Size of a page, which any mail carries."""

_MOST_BYTES_OF_FILMS, _MOST_BYTES_OF_A_NOTE = 2_000_000, 1_000

_MOST_ROWS = (1000, 100, 10)
"""Rows of each table, the fewer the longer a page would get without its clips."""

Tone = Literal["good", "fair", "bad", "unsure"]
"""What a verdict says, as a colour."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first sentence of a page, and what follows from it. warning: what makes it doubtful, empty for nothing."""

    tone: Tone
    sentence: str
    more: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    kind: ClassVar = "words"
    text: str
    is_soft: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    kind: ClassVar = "items"
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy."""

    kind: ClassVar = "code"
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, of which a page shows the first thousand or fewer. numbers: columns that are aligned to the
    right."""

    kind: ClassVar = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()

    @classmethod
    def of_grid(cls, grid: Grid) -> Table:
        """Return a grid of a terminal as a table of a page."""
        used = grid.used()
        numbers = [place for place, column in enumerate(used.columns) if column.is_number]
        return cls([column.heading for column in used.columns], used.rows, numbers)


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side where there is room."""

    kind: ClassVar = "charts"
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class Strip:
    """Clips of one side in a row. role: the colour of its title, see `palette.LIGHT`."""

    kind: ClassVar = "strip"
    title: str
    role: str
    clips: Sequence[ShownClip]


@dataclass(frozen=True, slots=True)
class Card:
    """Clips side by side, each with its side, and what there is to say about them."""

    title: str
    clips: Sequence[tuple[str, ShownClip]]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """Cards in a grid."""

    kind: ClassVar = "cards"
    cards: Sequence[Card]


@dataclass(frozen=True, slots=True)
class Details:
    """Blocks that are folded away under a summary."""

    kind: ClassVar = "details"
    summary: str
    blocks: Sequence[Block]


Block = Words | Items | Code | Table | Charts | Strip | Cards | Details


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page. Without blocks it is left out."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Made:
    """How a page was made: the command, empty where there was none, and the date."""

    command: str = ""
    date: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(" ", timespec="minutes"))

    @classmethod
    def by(cls, program: str) -> Made:
        """Return how the command of this process makes a page, without the passwords and tokens of addresses."""
        return cls(shlex.join([program, *(redact(given) if "://" in given else given for given in sys.argv[1:])]))


@dataclass(frozen=True, slots=True)
class Page:
    """A page, from its title to how it was made."""

    title: str
    verdict: Verdict
    sections: Sequence[Section]
    made: Made

    def html(self) -> str:
        """Return the page as one HTML document of at most `MOST_BYTES`.

        Where it would be larger, tables have fewer rows, then clips are what `films` makes of them, and at last charts
        are left out. The page says so.
        """
        clips = [clip for section in self.sections for block in section.blocks for clip in _clips(block)]
        for rows in _MOST_ROWS:
            size = len(self._rendered(rows, Films()).encode("utf-8", "replace"))
            if size <= MOST_BYTES - _MOST_BYTES_OF_FILMS:
                break
        free = MOST_BYTES - size - _MOST_BYTES_OF_A_NOTE
        if free < 0:
            return self._rendered(rows, Films(), has_charts=False)
        return self._rendered(rows, films(clips, min(_MOST_BYTES_OF_FILMS, free)))

    def _rendered(self, rows: int, shown: Films, *, has_charts: bool = True) -> str:
        colours = {"light": Markup(variables(LIGHT)), "dark": Markup(variables(DARK))}
        template = _environment().get_template("page.html")
        return template.render(
            page=self, version=__version__, films=shown, rows=rows, has_charts=has_charts, key=id, **colours
        )


def _clips(block: Block) -> Sequence[ShownClip]:
    if isinstance(block, Strip):
        return block.clips
    if isinstance(block, Details):
        return [clip for inner in block.blocks for clip in _clips(inner)]
    return [clip for card in block.cards for _, clip in card.clips] if isinstance(block, Cards) else []


@functools.cache
def _environment() -> Environment:
    """Return the templates. All that they show is escaped: as HTML, and before that what would turn text around."""
    return Environment(
        loader=PackageLoader("fvd_bench.reports.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown(value: object) -> object:
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value
