"""Charts: marks stand where the numbers are, whatever these are, and colours can be told from the page."""

import re

import numpy as np
import pytest

from fvd_bench.estimate import Estimate
from fvd_bench.inspection.motion import Motion
from fvd_bench.metrics.subset_scores import SubsetScores
from fvd_bench.reports.charts.canvas import WIDTH, canvas, set_log_ticks, set_percent_ticks
from fvd_bench.reports.charts.palette import DARK, EITHER, LIGHT, SERIES
from fvd_bench.reports.charts.score_charts import Bar, Row, bars_chart, count_chart, scores_chart
from fvd_bench.reports.charts.video_charts import change_chart, distance_chart, energy_chart, map_chart


def _marks(svg: str, role: str) -> list[float]:
    """The places of all marks of a colour from left to right, in units of the view box."""
    uses = re.findall(rf'<use xlink:href="#[\w]+" x="([-\d.]+)" y="[-\d.]+" style="[^"]*var\(--{role}\)', svg)
    return [float(x) for x in uses]


def test_marks_stand_where_the_numbers_are() -> None:
    rows = [Row(f"row {value}", value, (value - 5, value + 5)) for value in (10.0, 40.0, 90.0)]

    places = _marks(scores_chart(rows, "FVD").svg, "score")

    assert len(places) == 3 and places == sorted(places)
    assert (places[2] - places[1]) / (places[1] - places[0]) == pytest.approx(50 / 30, rel=1e-3)


@pytest.mark.parametrize(
    "values",
    [(0.0, 0.0), (5e-324, 5e-324), (1e-17, 2e-17), (7.0, 7.0 + 1e-15), (1e-4, 8e-4), (3e5, 4e5), (-0.01, 0.02),
     (1.0, 5000.0)],
)  # fmt: skip
def test_any_numbers_have_a_chart(values: tuple[float, float]) -> None:
    rows = [Row("x", value, (value - 0.1, value + 0.1) if value < 1 else None) for value in values]

    svg = scores_chart(rows, "KVD").svg

    places = _marks(svg, "score")
    assert len(places) == 2 and all(0 <= place <= WIDTH for place in places)
    assert "nan" not in svg


def test_a_chart_has_the_colours_of_the_page_and_no_others() -> None:
    row = Row("a", 3.0, (2.0, 4.0), Estimate(1.0, (0.5, 1.5)), Estimate(2.0, (1.0, 3.0)), (2.9, 3.1))

    svg = scores_chart([row], "FVD").svg

    used = set(re.findall(r"var\(--(\w+)\)", svg))
    assert {"score", "floor", "limit"} <= used <= set(LIGHT)
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert "<text" in svg and "<metadata" not in svg and "<style" not in svg


def test_labels_are_text_and_not_formulas() -> None:
    evil = '$x^2$ <script>"&\x1b'

    svg = scores_chart([Row(evil, 1.0)], "FVD").svg

    assert "$x^2$ &lt;script&gt;" in svg and "<script" not in svg and "\x1b" not in svg


def test_round_numbers_are_on_a_logarithmic_axis() -> None:
    for low, high in ((1.0, 40.0), (0.03, 2.0), (9.0, 5e5), (1e-6, 1e6)):
        with canvas("x") as drawn:
            drawn.axes.set_xscale("log")
            set_log_ticks(drawn.axes.xaxis, low, high)
            ticks = drawn.axes.get_xticks()
        assert 2 <= len(ticks) <= 13 and all(low <= tick <= high for tick in ticks)
        assert all(f"{tick:e}"[0] in "1235" for tick in ticks)


@pytest.mark.parametrize("highest", [0.042, 0.21, 0.6, 1.0])
def test_marks_of_parts_are_whole_percents(highest: float) -> None:
    with canvas("a chart") as drawn:
        drawn.axes.set_ylim(0, highest)
        set_percent_ticks(drawn.axes.yaxis)
        ticks = drawn.axes.get_yticks()

    assert len(ticks) > 2
    np.testing.assert_allclose(100 * ticks, np.round(100 * ticks), atol=1e-9)


def test_scores_of_parts_end_with_infinity(showing) -> None:
    score = showing[0].scores[0]

    svg = count_chart(score, [SubsetScores(10, 10, (3.0, 4.0)), SubsetScores(20, 20, (2.0, 2.5))], videos=41).svg

    labels = re.findall(r"text-anchor: middle[^>]*>(10|20|41|∞)</text>", svg)
    assert labels == ["10", "20", "41"] + ["∞"] * (score.infinite is not None)


def test_bars_go_from_where_a_change_begins() -> None:
    chart = bars_chart([Bar("a", 0.0, 10.0, "+10"), Bar("b", 10.0, 4.0, "-6")], "FVD", {"score": "x"})

    boxes = re.findall(r'd="M ([\d.]+) [\d.]+ \nL ([\d.]+) [^"]*"[^>]*style="fill: var\(--score\)', chart.svg)
    (first, top), (begin, end) = [(float(a), float(b)) for a, b in boxes]
    assert begin == pytest.approx(top, abs=1e-3)
    assert (begin - end) / (top - first) == pytest.approx(0.6, rel=1e-3)


def test_sides_that_say_nothing_have_no_chart(showing) -> None:
    _, exhibits, _ = showing
    real, none = Motion(9, 1.0, 1.0, None, (1.0,) * 8), Motion(9, 1.0, 1.0, None)

    assert energy_chart({"real": [real], "fake": []}) is None
    assert change_chart({"real": [real], "fake": [none]}) is None
    assert change_chart({"real": [real], "fake": [real]}) is not None
    assert map_chart(exhibits) is not None and distance_chart(exhibits) is not None


def test_many_points_make_no_large_page(showing) -> None:
    from dataclasses import replace

    from fvd_bench.evaluation.details.feature_map import feature_map

    _, exhibits, _ = showing
    rng = np.random.default_rng(0)
    wide = feature_map({"real": rng.normal(size=(5000, 5)), "fake": rng.normal(size=(4000, 5))})

    chart = map_chart(replace(exhibits, feature_map=wide, shares=rng.normal(size=4000), worst=()))

    assert chart is not None and len(chart.svg) < 300_000
    assert "left out" in chart.says


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it: 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_marks_and_words_stand_out_from_the_page(colours: dict[str, str]) -> None:
    assert set(LIGHT) == set(DARK)
    for role in ("real", "fake", "score", "floor", "limit", "mild", "strong", "worst", *SERIES):
        assert _contrast(colours[role], colours["page"]) >= 3, role
    for role in ("ink", "soft", "good", "fair", "bad", "real", "fake"):
        assert min(_contrast(colours[role], colours[ground]) for ground in ("page", "card")) >= 4.5, role


def test_a_card_stands_out_from_light_and_dark_and_has_all_colours_of_its_chart() -> None:
    row = Row("a", 3.0, (2.0, 4.0), Estimate(1.0, (0.5, 1.5)), Estimate(2.0, (1.0, 3.0)), (2.9, 3.1))

    assert set(re.findall(r"var\(--(\w+)\)", scores_chart([row], "FVD").svg)) <= set(EITHER)
    for role, colour in EITHER.items():
        assert min(_contrast(colour, colours["page"]) for colours in (LIGHT, DARK)) >= 3, role


def test_no_two_roles_share_a_colour() -> None:
    """A drawing is given the colours of the page by its colours."""
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_a_label_that_looks_like_a_colour_stays() -> None:
    svg = scores_chart([Row("#1558b0", 1.0), Row("#123456", 2.0)], "FVD").svg

    assert "#1558b0</text>" in svg and "#123456</text>" in svg
