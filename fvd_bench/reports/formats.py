"""What a command found, in every form that it can be had in: for people, for papers and for programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fvd_bench.escapes import escaped, in_csv, in_latex
from fvd_bench.reports.layout import Grid

if TYPE_CHECKING:
    from rich.console import RenderableType

FORMS = ("text", "score", "json", "csv", "markdown", "latex")
"""The values of --format."""

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&])")


@dataclass(frozen=True, slots=True)
class Report:
    """What a command found.

    text: for people, in a terminal.
    grid: the same as a table, for Markdown and LaTeX.
    records: a row for each thing that was found, with all digits, for CSV.
    to_json: makes the JSON text.
    scores: the values alone, in order; None where there is none.
    signatures: a line for each protocol that scored, which names every choice.
    """

    text: RenderableType
    grid: Grid
    records: Sequence[Mapping[str, object]]
    to_json: Callable[[], str]
    scores: Sequence[float | None] = ()
    signatures: Sequence[str] = ()

    def in_form(self, form: str) -> str:
        """Return the text of one of the FORMS, other than `text`."""
        if form == "json":
            return self.to_json()
        if form == "csv":
            return csv_text(self.records)
        if form == "score":
            return "".join("nan\n" if score is None else f"{score!r}\n" for score in self.scores)
        if form == "latex":
            return latex_table(self.grid) + "".join(f"% {escaped(signature)}\n" for signature in self.signatures)
        lines = "".join(f"\n{markdown_code(signature)}\n" for signature in self.signatures)
        return markdown_table(self.grid) + lines


def csv_text(records: Sequence[Mapping[str, object]]) -> str:
    """Write records of the same keys as CSV: numbers with all digits, an empty field where there is nothing.

    No records give an empty text.
    """
    if not records:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    for row in records:
        writer.writerow({name: in_csv(value) if isinstance(value, str) else value for name, value in row.items()})
    return out.getvalue()


def markdown_table(grid: Grid) -> str:
    """Write a table in Markdown."""
    used = grid.used()
    marks = ["---:" if column.is_number else "---" for column in used.columns]
    rows = [[column.heading for column in used.columns], *used.rows]
    lines = ["| " + " | ".join(map(markdown_plain, row)) + " |" for row in rows]
    return "\n".join([lines[0], f"|{'|'.join(marks)}|", *lines[1:]]) + "\n"


def markdown_plain(text: str) -> str:
    """Escape text so that in Markdown it means nothing but itself."""
    return _MARKDOWN.sub(r"\\\1", escaped(text))


def markdown_code(text: str) -> str:
    """Make text a line of code in Markdown."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    space = " " if longest else ""
    return f"{'`' * (longest + 1)}{space}{escaped(text)}{space}{'`' * (longest + 1)}"


def latex_table(grid: Grid) -> str:
    """Write a table in LaTeX, for the package booktabs."""
    import pandas

    used = grid.used()
    rows = [[in_latex(text) for text in row] for row in used.rows]
    alignment = "".join("r" if column.is_number else "l" for column in used.columns)
    table = pandas.DataFrame(rows, columns=[in_latex(column.heading) for column in used.columns])
    return str(table.to_latex(index=False, escape=False, column_format=alignment))
