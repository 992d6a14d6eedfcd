"""The page in Chromium, as wide as a telephone and as a screen, in light and in dark."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.evaluation.comparisons.ranking import Entrant
from fvd_bench.evaluation.comparisons.result_files import ranked
from fvd_bench.reports.charts.palette import DARK, LIGHT
from fvd_bench.reports.page import ranking_page, result_page

MEASURE = """<script>document.title = JSON.stringify([innerWidth, document.documentElement.scrollWidth,
[...document.querySelectorAll("svg text")].map(t => t.getBoundingClientRect().height).reduce((a, b) => Math.min(a, b)),
[...document.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width > innerWidth).length])</script>"""

FRAME = "<iframe src='file://{}' style='border:0;width:{}px;height:4000px'></iframe>"

TITLES = """<script>onload = () => { document.title = JSON.stringify(
[...document.querySelectorAll("iframe")].map(frame => JSON.parse(frame.contentDocument.title))) }</script>"""


@pytest.fixture(scope="module")
def page(showing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result, exhibits, _ = showing
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(result_page(result, exhibits).html(), "utf-8")
    return file


@pytest.fixture(scope="module")
def ranking(showing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result, exhibits, _ = showing
    names = ["ours", "a generator of others with a long name, as paths are long"]
    both = ranked({name: Entrant(result, {}, None) for name in names})
    file = tmp_path_factory.mktemp("ranking") / "page.html"
    file.write_text(ranking_page(both, dict.fromkeys(names, exhibits)).html(), "utf-8")
    return file


def _open(browser: str, file: Path, *options: str, width: int, scheme: str) -> subprocess.CompletedProcess[str]:
    chosen = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=800"]
    chosen += [f"--user-data-dir={file.parent / 'profile'}", f"--window-size={width},5000", "--enable-logging=stderr"]
    chosen += [f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", *options]
    return subprocess.run([browser, *chosen, f"file://{file}"], capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1200, "light")])
def test_it_shows_all_colours_and_complains_of_nothing(page: Path, browser: str, width: int, scheme: str) -> None:
    picture = page.parent / f"{width}.png"

    shown = _open(browser, page, f"--screenshot={picture}", width=width, scheme=scheme)

    assert not re.search(r"CONSOLE.*(error|refused|violat)", shown.stderr, re.IGNORECASE)
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    chosen = LIGHT if scheme == "light" else DARK
    colours = {name: [int(colour[i : i + 2], 16) for i in (1, 3, 5)] for name, colour in chosen.items()}
    assert np.abs(pixels[-1, 0] - colours["page"]).max() <= 2
    for role in ("real", "fake", "score", "floor", "worst"):
        assert (np.abs(pixels - colours[role]).max(axis=-1) < 12).sum() > 30, role


def test_it_is_as_wide_as_the_window_and_its_text_is_legible(page: Path, ranking: Path, browser: str) -> None:
    """Copies without the policy, which would let no script measure them, side by side in one Chromium."""
    for copy in (page, ranking):
        text = re.sub(r"<meta http-equiv=\"Content-Security-Policy\".*?>", "", copy.read_text("utf-8"))
        copy.with_name("measured.html").write_text(text.replace("</body>", f"{MEASURE}</body>"), "utf-8")
    shown = [(page, 390), (page, 1200), (ranking, 390)]
    beside = page.with_name("frames.html")
    beside.write_text("".join(FRAME.format(copy.with_name("measured.html"), width) for copy, width in shown) + TITLES)

    dom = _open(browser, beside, "--dump-dom", "--allow-file-access-from-files", width=1400, scheme="light").stdout

    found = re.search(r"<title>(\[\[.*\]\])</title>", dom)
    assert found is not None
    for (_, width), (window, needed, least_text, too_wide) in zip(shown, json.loads(found[1]), strict=True):
        assert window == width and needed <= width
        assert least_text >= 9
        assert too_wide == 0
