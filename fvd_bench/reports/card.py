"""A result as the card that notebooks show: what it scores, a chart of that, and what was found."""

from __future__ import annotations

import io
from collections.abc import Sequence

from fvd_bench.escapes import escaped, in_html
from fvd_bench.evaluation.result import Result, Score, summary
from fvd_bench.reports.svg import SETTINGS, element

_INK, _SCORE, _FLOOR = "#767676", "#2f7fd6", "#b06a00"
"""Colours that stand out from a light page and from a dark one, 3 to 1 or more."""

_ROW_INCHES, _WIDTH_INCHES = 0.45, 6.5


def card(result: Result) -> str:
    """Make the HTML: nothing in it runs, nothing is loaded, and names of files stay text."""
    first, *others = result.scores
    parts = [
        f"<strong>{in_html(summary(first))}</strong>",
        f"<div>{result.fake.videos} fake videos of {in_html(result.fake.path)} against {result.real.videos} "
        f"real ones of {in_html(result.real.path)}</div>",
        chart([score for score in result.scores if score.metric == first.metric and score.value is not None]),
        *(f"<div>{in_html(summary(score))}</div>" for score in others),
    ]
    if result.warnings:
        parts.append("<ul>" + "".join(f"<li>{in_html(found.message)}</li>" for found in result.warnings) + "</ul>")
    return f'<div class="fvd-bench">{"".join(parts)}</div>'


def chart(scores: Sequence[Score]) -> str:
    """Draw scores of one metric on one axis as SVG, each with its interval, and its floor as a band. No scores give no
    chart."""
    if not scores:
        return ""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(_WIDTH_INCHES, 0.7 + _ROW_INCHES * len(scores)), layout="constrained")
        axes = figure.add_subplot()
        for place, score in enumerate(scores):
            assert score.value is not None
            if score.floor is not None:
                low, high = score.floor.interval
                axes.barh(place, high - low, 0.6, low, facecolor=(_FLOOR, 0.35), edgecolor=_FLOOR, label="floor")
            if score.interval is not None:
                axes.plot(score.interval, (place, place), color=_SCORE, linewidth=2)
            axes.plot(score.value, place, "o", color=_SCORE, label="score, 95 % interval")
        axes.set_yticks(range(len(scores)), [escaped(f"{score.metric.upper()}, {score.protocol}") for score in scores])
        axes.set_ylim(len(scores) - 0.5, -0.5)
        axes.set_xlim(left=min(0, *(score.interval[0] if score.interval else 0 for score in scores)))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_INK)
        axes.tick_params(colors=_INK)
        marks = {name: mark for mark, name in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(
            [*marks.values()], [*marks], loc="outside upper right", ncols=2, frameon=False, labelcolor=_INK,
            fontsize="small",
        )  # fmt: skip
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return element(drawn.getvalue())
