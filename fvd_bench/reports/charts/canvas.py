"""The canvas of all charts: how Matplotlib is set up for them, and its SVG as an element of a page.

On a page a chart is drawn at the width that it has on a telephone and is never shown much larger, so that its text
stays legible; its colours are the page's own, in light and in dark. No state of pyplot is touched, and the same numbers
give the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from fvd_bench.escapes import escaped
from fvd_bench.reports.charts.palette import INK, LIGHT, LINE, SOFT
from fvd_bench.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

IMAGES = (".png", ".svg")
"""Endings of the files that a figure can be saved to."""

WIDTH = 400
"""Width of a chart in units of its view box, which are pixels on a small screen."""

_ROLES = {colour: role for role, colour in LIGHT.items()}
_UNSAID = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_UNITS_PER_INCH = 72
_MOST_TICKS = 7
"""Marks of an axis that fit beside each other."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fvd-bench",  # without it the same drawing would have other ids each time
    "text.parse_math": False,  # names may have dollars
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "grid.color": LINE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "lines.solid_capstyle": "butt",
    "path.simplify": True,
}


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Set Matplotlib up, for as long as something is drawn."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # it measures text, a browser draws it
        yield


def saved(figure: Callable[[], Figure], form: str) -> bytes:
    """Return the file of a figure. figure: makes it. form: one of IMAGES."""
    with drawing(), io.BytesIO() as out:
        dateless = {"Date": None} if form == ".svg" else None  # with a date, the bytes would be others each time
        figure().savefig(out, format=form[1:], dpi=128, metadata=dateless)
        return out.getvalue()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart on a page.

    svg: the drawing. says: what it shows, as a sentence below it. legend: role -> what has its colour.
    """

    svg: Markup
    says: str
    legend: dict[str, str]


class Canvas:
    """An empty chart with one pair of axes."""

    def __init__(self, figure: Figure, axes: Axes) -> None:
        self.figure = figure
        self.axes = axes
        self.svg = Markup()


@contextlib.contextmanager
def canvas(described: str, *, height: int = 250, left: int = 46, bottom: int = 42, top: int = 10) -> Iterator[Canvas]:
    """Yield a canvas to draw on, whose `svg` is there afterwards.

    described: what the chart shows, for who cannot see it. height, and the margins left, bottom and top: in units.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=(WIDTH / _UNITS_PER_INCH, height / _UNITS_PER_INCH))
        figure.patch.set_visible(False)
        right = 12
        place = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - bottom - top) / height)
        axes = figure.add_axes(place)
        axes.patch.set_visible(False)
        axes.tick_params(length=3, labelsize=11)
        drawn = Canvas(figure, axes)
        yield drawn
        out = io.StringIO()
        FigureCanvasSVG(figure).print_svg(out, metadata=_UNSAID)  # type: ignore[no-untyped-call]
    drawn.svg = _inlined(out.getvalue(), described)


def shortened(label: str, longest: int) -> str:
    """Return a label of at most so many characters, without its middle where it has more. Tables have it whole."""
    return label if len(label) <= longest else f"{label[: longest // 2]}…{label[-longest // 2 + 1 :]}"


def set_log_ticks(axis: Axis, low: float, high: float) -> None:
    """Mark round numbers between two positive ends of a logarithmic axis, written as people write them."""
    decades = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [decade * factor for decade in decades for factor in factors if low <= decade * factor <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    axis.set_ticks(ticks, [f"{tick:g}" if tick < 1e5 else f"{tick:.0e}" for tick in ticks])
    axis.set_ticks([], minor=True)


def set_percent_ticks(axis: Axis) -> None:
    """Mark fractions at whole percents, so that each mark says exactly where it stands. The axis spans 4 % or more."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(_MOST_TICKS, steps=(1, 2, 5, 10)))
    axis.set_major_formatter(lambda part, _: percent(part))


def _inlined(text: str, described: str) -> Markup:
    """Return an SVG document as an element of a page: with the page's colours, and no ids that nothing refers to."""
    inside = text[text.index("<svg") :]
    inside = inside[inside.index(">") + 1 :]
    inside = re.sub(r"<metadata>.*?</metadata>|<style\b.*?</style>", "", inside, flags=re.DOTALL)
    used = set(re.findall(r"(?:href=\"|url\()#([\w.-]+)", inside))
    inside = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", inside)
    inside = re.sub(r'style="[^"]*"', _with_variables, inside)
    height = re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', text)
    assert height is not None
    said = escape(escaped(described))
    return Markup(  # made of Matplotlib's own output and of escaped text
        f'<svg viewBox="0 0 {WIDTH} {float(height[1]):g}" role="img" aria-label="{said}">{inside.strip()}'
    )


def _with_variables(style: re.Match[str]) -> str:
    """Return an attribute with the page's variables in the place of colours."""

    def variable(colour: re.Match[str]) -> str:
        return f"var(--{_ROLES[colour[0]]})" if colour[0] in _ROLES else colour[0]

    return re.sub("#[0-9a-f]{6}", variable, style[0])
