"""Labels beside the places of a chart that neither cover each other nor what they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fvd_bench.reports.charts.palette import SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOT = 4
"""Half of the side of what is drawn at a place, in pixels."""

_NEARBY = [
    (right, up, end)
    for heights in [(4, -12), (18, -26), (32, -40)]
    for right, end in [(6, "left"), (-6, "right")]
    for up in heights
]
"""Where a label may stand: to the right and above of its place, in points, and which end of it. Nearest ones first."""


def write_labels(figure: Figure, axes: Axes, places: Mapping[str, tuple[float, float]], **font: Any) -> None:
    """Write a label beside each place, where it first covers nothing and stays within the axes. A line leads to it.

    figure: of the axes. places: label -> (x, y) in units of the axes, whose limits must be final. font: as for
    `Axes.annotate`.
    """
    from matplotlib.transforms import Bbox

    if not places:
        return
    figure.draw_without_rendering()  # so that sizes are known
    points = axes.transData.transform(list(places.values()))
    taken = [Bbox.from_extents(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in points]
    for label, place in places.items():
        for number, (right, up, alignment) in enumerate(_NEARBY, 1):
            text = axes.annotate(label, place, (right, up), textcoords="offset points", ha=alignment, **font)
            box = text.get_window_extent()
            is_free = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and not any(map(box.overlaps, taken))
            if is_free or number == len(_NEARBY):
                taken.append(box)
                line = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.5}
                axes.annotate("", place, (right, up + 4), textcoords="offset points", arrowprops=line)
                break
            text.remove()
