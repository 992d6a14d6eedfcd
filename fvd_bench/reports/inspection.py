"""A checkup as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fvd_bench.escapes import cell
from fvd_bench.inspection.checkup import Checkup
from fvd_bench.inspection.summary import Contents

_MOST_VALUES = 3
_BAR_WIDTH = 40


def checkup_table(checkup: Checkup) -> RenderableType:
    """Show what is in the sides, how long the videos are, and what was found."""
    parts: list[RenderableType] = [_contents_table(checkup)]
    for side in checkup.sides:
        parts += [_lengths_table(side), _needs_table(side)]
    parts.append(_findings_table(checkup) if checkup.findings else Text("nothing was found to be wrong"))
    return Group(*parts)


def _contents_table(checkup: Checkup) -> Table:
    """Show the columns of the paper's table of datasets, and what else a score depends on."""
    table = Table("side", "form")
    for heading in ("videos", "hours", "mean frames", "mean seconds", "fps"):
        table.add_column(heading, justify="right")
    for heading in ("size", "codec", "pixels", "JPEG quality"):
        table.add_column(heading)
    for side in checkup.sides:
        numbers = [_decimal(side.hours, 2), _decimal(side.mean_frames, 1), _decimal(side.mean_seconds, 1)]
        kinds = (side.fps, side.sizes, side.codecs, side.pixel_formats, side.jpeg_qualities)
        table.add_row(*map(cell, [side.path, side.kind, str(side.videos), *numbers, *map(_values, kinds)]))
    return table


def _lengths_table(side: Contents) -> Table:
    """Show the histogram of lengths."""
    table = Table("frames", title=cell(f"lengths of {side.path}"), title_justify="left")
    table.add_column("videos", justify="right")
    table.add_column("")
    most = max(side.lengths.counts, default=0)
    for low, high, count in zip(side.lengths.edges, side.lengths.edges[1:], side.lengths.counts, strict=False):
        name = str(low) if high == low + 1 else f"{low} to {high - 1}"
        table.add_row(Text(name), Text(str(count)), Bar(most, 0, count, width=_BAR_WIDTH))
    return table


def _needs_table(side: Contents) -> Table:
    table = Table("protocol", "as")
    table.add_column("frames needed", justify="right")
    table.add_column("long enough", justify="right")
    for need in side.needs:
        as_side = "real or fake" if need.side == "both" else need.side
        table.add_row(*map(cell, [need.protocol, as_side, str(need.frames), f"{need.videos} of {side.videos}"]))
    return table


def _findings_table(checkup: Checkup) -> Table:
    table = Table("found", "side", "what", show_lines=True)
    for finding in checkup.findings:
        table.add_row(*map(cell, [finding.code, finding.side or "both", finding.message]))
    return table


def _decimal(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _values(counts: Mapping[str, int]) -> str:
    """Return the most frequent values. Where there are several, each comes with its number of videos."""
    if len(counts) <= 1:
        return next(iter(counts), "–")
    named = [f"{value} ({count})" for value, count in list(counts.items())[:_MOST_VALUES]]
    more = len(counts) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
