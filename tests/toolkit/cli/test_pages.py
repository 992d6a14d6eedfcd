"""--html of each command: the sections that it has matter for, and nothing else on stdout."""

import json
import re
from pathlib import Path

import pytest

from fvd_bench.errors import CacheError
from fvd_bench.evaluation.details import exhibits as exhibits_module
from fvd_bench.evaluation.details.exhibits import Exhibits, exhibits
from fvd_bench.evaluation.studies import table4
from fvd_bench.reports.page import table4_page
from fvd_bench.settings import Settings
from tests.program import fvd_bench

CLIPS = ["What the network saw", "The fakes that hurt most", "Real videos that nothing covers"]
PLACES, REST = ["Where the videos lie"], ["Motion", "All numbers", "How it was made"]


def _sections(page: str) -> list[str]:
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n") and len(page) < 3_000_000
    return re.findall(r"<h2>(.*?)</h2>", page)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> Path:
    root = tmp_path_factory.mktemp("sets")
    for number, name in enumerate(("real", "fake")):
        for video in range(7):
            write_frames(root / name / f"{video}", moving_frames(12, 16, 20, seed=50 * number + video))
    return root


@pytest.fixture
def sides(sets: Path) -> list[object]:
    """With one store for all tests, so that each video is read once."""
    return ["--real", sets / "real", "--fake", sets / "fake", "--cache", sets / "store"]


def test_compute_check_and_compare(sides: list[object], pixels_protocol, tmp_path: Path) -> None:
    page, result = tmp_path / "page.html", tmp_path / "result.json"
    chosen = [*sides, "--protocol", pixels_protocol()]

    computed = fvd_bench("compute", *chosen, "--json", result, "--html", page)
    checked = fvd_bench("check", *chosen, "--baseline", result, "--html", "-")
    compared = fvd_bench("compare", result, result, "--html", "-")

    assert [done.returncode for done in (computed, checked, compared)] == [0, 0, 0], checked.stderr + compared.stderr
    assert _sections(page.read_text("utf-8")) == [*CLIPS, "All scores on one axis", "Findings", *PLACES, *REST]
    assert "fvd-bench compute --real" in page.read_text("utf-8")
    assert _sections(checked.stdout) == [*CLIPS, "What changed", "Findings", *PLACES, *REST]
    assert _sections(compared.stdout) == ["What changed", "Findings", *REST]
    assert "cannot be told apart" in compared.stdout


def test_explain(sides: list[object], pixels_protocol) -> None:
    short, longer = pixels_protocol(name="short"), pixels_protocol(name="longer", frames=11)

    done = fvd_bench("protocols", "explain", short, longer, *sides, "--html", "-")

    assert done.returncode == 0, done.stderr
    assert _sections(done.stdout) == [*CLIPS, "One choice after the other", "Findings", *PLACES, *REST]
    assert re.search(r"The largest step is frames: [+-][\d.]+", done.stdout)


def test_inspect(sets: Path, moving_frames, write_frames, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    for video in range(3):
        write_frames(odd / f"{video}", moving_frames(6 + video, 16, 20, seed=video)[: None if video else 1])

    one = fvd_bench("inspect", odd, "--html", "-")
    two = fvd_bench("inspect", sets / "real", "--against", sets / "fake", "--html", "-")

    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    assert _sections(one.stdout)[0] == _sections(two.stdout)[0] == "The first frames"
    assert _sections(one.stdout)[-1] == "What is in it"
    assert one.stdout.count('class="film ') == 3 and two.stdout.count('class="film ') == 14
    assert "finding" in one.stdout and "16×20" not in one.stdout and "20×16 (3)" in one.stdout


def test_table4(sets: Path, pixels_protocol) -> None:
    seen: list[Exhibits | None] = []
    settings = Settings(cache=None, onlooker=lambda collection, result: seen.append(exhibits(collection, result)))
    base = pixels_protocol(name="base", count="fake = 2048", images='jpeg = { fake = "unless-jpeg" }')

    result = table4.table4(sets / "real", sets / "fake", base, repeats=2, settings=settings)
    page = table4_page(result, *seen).html()

    assert _sections(page) == [*CLIPS, "What each mistake does", "Findings", *PLACES, *REST]
    changes = [table4.change_percent(score, result.scores[0]) for score in result.scores[1:]]
    largest = max((change for change in changes if change is not None), key=abs)
    assert f"by {abs(largest):.1f} %" in page
    assert all(score.reason in page for score in result.scores if score.reason)


def test_a_side_of_statistics_has_no_clips_and_all_else(sides: list[object], pixels_protocol, tmp_path: Path) -> None:
    protocol, stats = pixels_protocol(), tmp_path / "real.npz"
    made = fvd_bench("stats", sides[1], "--side", "real", "--protocol", protocol, "--out", stats, "--no-cache")

    done = fvd_bench("compute", "--real", stats, *sides[2:], "--protocol", protocol, "--html", "-")

    assert made.returncode == done.returncode == 0, made.stderr + done.stderr
    assert "The real side was given as statistics, in which there are no frames." in done.stdout
    assert _sections(done.stdout) == [*CLIPS, "All scores on one axis", "Findings", *PLACES, *REST]
    assert '<span class="gone">no frames</span>' in done.stdout and 'class="film ' in done.stdout


def test_a_page_and_a_result_do_not_share_stdout_or_a_file(sides: list[object], tmp_path: Path) -> None:
    file = tmp_path / "x"

    both = fvd_bench("compute", *sides, "--html", "-", "--json", "-")
    same = fvd_bench("table4", *sides, "--html", file, "--json", file)
    nowhere = fvd_bench("protocols", "explain", "a", "b", *sides, "--html", tmp_path / "none" / "x.html")

    assert (both.returncode, same.returncode, nowhere.returncode) == (2, 2, 3)


@pytest.mark.parametrize("error", [CacheError("the store is gone"), ValueError("a fault")])
def test_a_score_is_not_lost_with_its_page(
    sides: list[object], pixels_protocol, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    """Of what goes wrong after the score was made, a message is shown, and only a fault of ours costs the page."""
    page = tmp_path / "p.html"

    def lost(*given: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(exhibits_module, "exhibits", lost)

    done = fvd_bench("compute", *sides, "--protocol", pixels_protocol(), "--html", page, "--json", "-")

    assert json.loads(done.stdout)["scores"][0]["value"] > 0
    assert str(error) in done.stderr
    is_fault = isinstance(error, ValueError)
    assert done.returncode == (70 if is_fault else 0) and page.exists() is not is_fault
