"""Curves as pictures, pages and tables."""

import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.studies.curves import Curve, Panel, Point
from fvd_bench.reports.charts.curve_charts import curve_chart
from fvd_bench.reports.curves import curves_report, draw
from fvd_bench.reports.page import Made, curves_page
from fvd_bench.reports.page.page import Charts

MADE = Made("", "2026-11-28")
EVIL = "a$\\frac{1}{0}$<script>\x1b\u202e"
SHOWN = r"a$\frac{1}{0}$<script>\x1b\u202e"


def curve(name: str, values: list[float | None], *, floor: float = 20.0, clips: int = 100) -> Curve:
    points = [
        Point(10.0 * k, f"step {k}", v, v and (v - 8, v + 8), Estimate(floor, (floor - 5, floor + 5)), clips)
        for k, v in enumerate(values)
    ]
    return Curve(name, tuple(points))


ONE = Panel("fvd", "stylegan-v-fvd16", "step", True, (curve("", [90.0, 60.0, None, 50.0]),))


def texts(panels: list[Panel]) -> list[str]:
    root = ElementTree.fromstring(draw(panels, ".svg"))
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_shows_score_interval_and_floor() -> None:
    found = texts([ONE])

    for text in ("FVD, stylegan-v-fvd16", "step", "score, in the band of its 95 % interval"):
        assert text in found
    assert "floor: what real videos score against others of their kind" in found
    assert "FVD, lower is better" in found


def test_points_lie_where_the_numbers_are() -> None:
    """The markers of the SVG are the scores, scaled: their heights are in one line with the values."""
    panel = Panel("fvd", "p", "step", True, (curve("", [90.0, 60.0, 20.0, 50.0]),))
    root = ElementTree.fromstring(draw([panel], ".svg"))
    places = [
        (float(node.get("x", "nan")), float(node.get("y", "nan")))
        for node in root.iter("{http://www.w3.org/2000/svg}use")
        if "fill: #1558b0; stroke: #1558b0" in node.get("style", "")
    ]

    x, y = np.array(places).T
    assert np.allclose(np.diff(x), np.diff(x)[0], rtol=1e-4)
    slope, start = np.polyfit([90, 60, 20, 50], y, 1)
    assert slope < 0 and np.allclose(slope * np.array([90, 60, 20, 50]) + start, y, atol=0.01)


def test_the_same_curves_are_the_same_bytes() -> None:
    assert draw([ONE], ".svg") == draw([ONE], ".svg")
    assert curves_page([ONE], MADE).html() == curves_page([ONE], MADE).html()


def test_png_and_html_are_what_they_say() -> None:
    with Image.open(io.BytesIO(draw([ONE, ONE], ".png"))) as image:
        assert image.format == "PNG" and image.width > 1000 and image.height > 1000
    page = curves_page([ONE], MADE).html()
    assert page.startswith("<!doctype html>") and 'http-equiv="Content-Security-Policy"' in page
    assert re.findall(r"(?:src|href)=[\"'](?!#)", page) == []
    assert len(page) < 200_000
    for number in ("90.00", "82.00 to 98.00", "20.00"):
        assert f'<td class="n">{number}</td>' in page
    assert "FVD is lowest at step 3: 50.00 (42.00 to 58.00): 2.5 times the 20.00" in page
    assert "prefers-color-scheme: dark" in page and "#fff" not in re.sub("--[a-z]+: #[0-9a-f]+", "", page)


def test_the_page_draws_score_interval_and_floor_in_its_own_colours() -> None:
    (drawn,) = [block for block in curves_page([ONE]).sections[0].blocks if isinstance(block, Charts)]
    (chart,) = drawn.charts

    bands = re.findall(r"fill: var\(--(\w+)\); fill-opacity", chart.svg)
    assert set(bands) == {"score", "floor"}
    assert set(chart.legend) == {"score", "floor"}
    two = curve_chart(Panel("fvd", "p", "step", True, (curve("a", [3.0, 4.0]), curve("b", [5.0, 6.0]))))
    assert (two.legend["score"], two.legend["second"]) == ("a", "b")


def test_more_curves_than_colours_are_told_apart() -> None:
    panel = Panel("fvd", "p", "step", True, tuple(curve(f"c{k}", [3.0 + k, 4.0 + k]) for k in range(7)))

    assert curve_chart(panel).legend["score"] == "c0; c6 (dashed)"
    assert "c6 (dashed)" in texts([panel])


def test_names_of_others_are_shown_and_not_obeyed() -> None:
    panel = Panel("fvd", "p", "checkpoint", False, (curve(EVIL, [3.0, 4.0]), curve("b", [5.0, 6.0])))

    class Tags(HTMLParser):
        found: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found.append(tag)

    parser = Tags()
    parser.feed(curves_page([panel]).html())
    assert "script" not in parser.found
    assert SHOWN in texts([panel])


def test_points_of_fewer_videos_are_hollow_and_said_to_be() -> None:
    full, short = curve("", [9.0, 8.0]), curve("", [7.0, 6.0], clips=30)
    shifted = tuple(replace(point, at=20 + point.at) for point in short.points)
    panel = Panel("fvd", "p", "window", True, (Curve("", full.points + shifted),))

    assert "hollow points: of fewer videos" in texts([panel])
    assert "hollow points: of fewer videos" not in texts([ONE])
    assert curve_chart(panel).says == "Hollow points: of fewer videos."


def test_the_table_has_a_row_for_each_point() -> None:
    report = curves_report([ONE])
    console = Console(width=80)

    with console.capture() as capture:
        console.print(report.text)

    assert "step 3  50.00  42.00 to 58.00  20.00    100" in capture.get()
    assert [row["value"] for row in json.loads(report.to_json())] == [90.0, 60.0, None, 50.0]
    assert [row[2] for row in curves_report([ONE, ONE]).grid.rows] == ["90.00", "60.00", "–", "50.00"] * 2


def test_pyplot_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep every figure, and open windows."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)

    assert draw([ONE], ".png")
