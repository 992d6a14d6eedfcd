"""The page of a result, in a real browser where there is one."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.finding import Finding
from fvd_bench.reports.html import _ticks, html_report
from fvd_bench.settings import Settings


@pytest.fixture(scope="module")
def result(tmp_path_factory, moving_frames, write_video, write_pixels_protocol) -> Result:
    root = tmp_path_factory.mktemp("sides")
    for side in ("real", "fake"):
        for video in range(10):
            frames = moving_frames(16, 32, 32, seed=len(side) * 10 + video * (1 if side == "real" else 3))
            write_video(root / side / f"{video}.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    write_video(root / "fake" / "short.mkv", moving_frames(3, 32, 32), codec="ffv1", pix_fmt="bgr0")
    protocol = write_pixels_protocol(root)
    return evaluate(root / "real", root / "fake", protocol, repeats=2, settings=Settings(cache=root / "store"))


class _Outline(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_everything_that_counts_is_on_the_page(result: Result) -> None:
    (score,) = result.scores

    text = _Outline(html_report(result)).text

    for part in (f"{score.value:.2f}", f"{score.interval[0]:.2f}", score.signature, "short.mkv", "too short: 3 frames"):
        assert part in text
    assert all(warned.message in text for warned in result.warnings)
    assert all(value in text for value in result.environment.values())


def test_the_page_loads_nothing_and_runs_nothing(result: Result) -> None:
    outline = _Outline(html_report(result))

    assert outline.links == []
    assert not {"script", "iframe", "object", "link", "img"} & set(outline.tags)


def test_names_cannot_break_out_of_the_page(result: Result) -> None:
    evil = '"><script>document.title = "broken"</script>'
    nasty = replace(
        result, fake=replace(result.fake, path=evil), warnings=(Finding("x", evil),), environment={evil: evil}
    )

    outline = _Outline(html_report(nasty))

    assert "script" not in outline.tags
    assert outline.text.count(evil) >= 4


@pytest.mark.parametrize(("value", "interval"), [(0.01, (-0.02, 0.04)), (-0.01, (-0.03, -0.01)), (0.0, (0.0, 0.0))])
def test_the_chart_holds_values_below_zero(result: Result, value: float, interval: tuple[float, float]) -> None:
    score = replace(result.scores[0], value=value, values=(value,), interval=interval, floor=None, infinite=None)

    page = html_report(replace(result, scores=(score,)))

    places = [float(x) for x in re.findall(r'(?:x1|x2|cx)="([-\d.]+)"', page)]
    assert places and all(120 <= x <= 680 for x in places)


def test_motion_stands_beside_the_score(result: Result) -> None:
    scale = [replace(result.scores[0], row=f"scale-{n}", protocol=f"{result.scores[0].protocol}-scale-{n}", value=value)
             for n, value in (("shuffled", 11.25), ("reversed", 3.5))]  # fmt: skip

    page = html_report(replace(result, scores=(*result.scores, *scale)))

    assert "Energy: mean change from frame to frame" in page
    assert "shuffled: 11.25; reversed: 3.50" in page
    assert page.count("<svg") == 2
    assert "Energy" not in html_report(replace(result, motion=None))


def test_scores_that_could_not_be_computed_have_their_reason(result: Result) -> None:
    failed = replace(
        result.scores[0], value=None, values=(), interval=None, reason="too few", floor=None, infinite=None
    )

    assert "too few" in _Outline(html_report(replace(result, scores=(failed,)))).text


@pytest.fixture(scope="session")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("FVD_BENCH_REQUIRE_BROWSER"):
        pytest.fail("FVD_BENCH_REQUIRE_BROWSER is set and there is no Chromium")
    pytest.skip("needs Chromium; FVD_BENCH_REQUIRE_BROWSER=1 makes this fail")


def test_a_browser_shows_the_chart(result: Result, browser: str, tmp_path: Path) -> None:
    score = replace(result.scores[0], infinite=Estimate(1.0, (0.5, 2.0)))
    (tmp_path / "r.html").write_text(html_report(replace(result, scores=(score, *result.scores[1:]))), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    options += [f"--screenshot={tmp_path / 'r.png'}", "--window-size=900,1600", "--enable-logging=stderr"]

    shown = subprocess.run(
        [browser, *options, f"file://{tmp_path / 'r.html'}"], capture_output=True, text=True, timeout=120, check=True
    )

    assert not re.search(r"CONSOLE.*(error|refused|violat)", shown.stderr, re.IGNORECASE)
    pixels = np.asarray(Image.open(tmp_path / "r.png").convert("RGB")).astype(int)
    for colour in ((0x15, 0x58, 0xB0), (0x9A, 0xA7, 0xB5), (0x0F, 0x8A, 0x5F)):  # score, floor, at infinity
        assert (np.abs(pixels - colour).max(axis=-1) < 12).sum() > 30


@pytest.mark.parametrize(
    "values",
    [(0.0, 0.0), (5e-324, 5e-324), (1e-17, 2e-17), (7.0, 7.0 + 1e-15), (0.004, 0.004), (1e-4, 8e-4), (3e5, 4e5)],
)
def test_nearly_equal_values_have_a_chart(result: Result, values: tuple[float, float]) -> None:
    (score,) = result.scores
    score = replace(score, value=values[0], values=values, interval=None, floor=None, infinite=None)

    page = html_report(replace(result, scores=(score,)))

    assert page.count("<circle") == 3
    assert "nan" not in page.partition("<svg")[2].partition("</svg>")[0]


def test_round_numbers_are_on_the_scale() -> None:
    """Of spans whose quarter is a power of ten but for rounding, too."""
    for power in range(-9, 9):
        for top in (1, 1.2, 3.9, 4, 4.0000000001, 8, 9.99):
            ticks = list(_ticks(0.0, top * 10.0**power))
            assert 4 <= len(ticks) <= 11, (top, power, ticks)
