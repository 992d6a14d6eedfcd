"""A result as the card that notebooks show: what it scores, a chart of that, and what was found."""

from __future__ import annotations

from fvd_bench.escapes import in_html
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import summary
from fvd_bench.reports.charts.palette import EITHER, variables
from fvd_bench.reports.charts.score_charts import row_of, scores_chart
from fvd_bench.words import counted

_STYLE = f"{variables(EITHER)}; max-width: 34rem"


def card(result: Result) -> str:
    """Make the HTML: nothing in it runs, nothing is loaded, and names of files stay text."""
    first, *others = result.scores
    parts = [
        f"<strong>{in_html(summary(first))}</strong>",
        f"<div>{counted(result.fake.videos, 'fake video')} of {in_html(result.fake.path)} against {result.real.videos} "
        f"real ones of {in_html(result.real.path)}</div>",
        _chart(result),
        *(f"<div>{in_html(summary(score))}</div>" for score in others),
    ]
    if result.warnings:
        parts.append("<ul>" + "".join(f"<li>{in_html(found.message)}</li>" for found in result.warnings) + "</ul>")
    return f'<div class="fvd-bench" style="{_STYLE}">{"".join(parts)}</div>'


def _chart(result: Result) -> str:
    """Draw the scores of the first metric on one axis, with a legend. No scores give no chart."""
    metric = result.scores[0].metric
    scores = [score for score in result.scores if score.metric == metric and score.value is not None]
    if not scores:
        return ""
    drawn = scores_chart([row_of(score, score.row or score.protocol) for score in scores], metric.upper())
    legend = " &nbsp; ".join(
        f'<span style="color: var(--{role})">●</span> {in_html(what)}' for role, what in drawn.legend.items()
    )
    return f"{drawn.svg}<small>{legend}</small>"
