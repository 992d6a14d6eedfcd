"""Scores by class: the same features, parted by the class of their videos."""

import csv
import io
import json
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import FvdBenchError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.settings import Settings
from tests.program import fvd_bench

KINDS = {"cat": (5, 4), "dog": (4, 4), "eel": (3, 0), "fox": (0, 2), "gnu": (1, 3)}
"""Class -> number of real and of fake videos."""


@pytest.fixture(scope="module")
def sides(tmp_path_factory, moving_frames, write_video) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("classes")
    for side, name in enumerate(("real", "fake")):
        for kind, counts in KINDS.items():
            for number in range(counts[side]):
                frames = moving_frames(12, 24, 24, seed=100 * side + 10 * ord(kind[0]) + number)
                write_video(root / name / kind / f"{number}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    return root / "real", root / "fake"


@pytest.fixture(scope="module")
def protocol(tmp_path_factory, write_pixels_protocol) -> str:
    return str(write_pixels_protocol(tmp_path_factory.mktemp("protocol")))


@pytest.fixture(scope="module")
def result(sides, protocol) -> Result:
    return evaluate(*sides, protocol, repeats=2, settings=Settings(cache=None, classes="folder"))


def test_a_class_scores_what_its_videos_score_alone(result: Result, sides, protocol) -> None:
    assert result.classes is not None
    (score,) = result.classes.scores
    rows = {row.name: row for row in score.classes}

    for kind in ("cat", "dog"):
        alone = evaluate(*(side / kind for side in sides), protocol, settings=Settings(cache=None))
        assert rows[kind].fake_videos == alone.scores[0].fake.clips == KINDS[kind][1]
        assert rows[kind].real_videos == KINDS[kind][0]
        low, high = rows[kind].interval
        assert low <= rows[kind].value <= high
    assert score.value == result.value == result.scores[0].value
    assert score.mean == pytest.approx(statistics.fmean([rows["cat"].value, rows["dog"].value]))


def test_without_a_draw_it_is_the_very_score(sides, pixels_protocol) -> None:
    file = Path(pixels_protocol(name="first"))
    file.write_text(file.read_text().replace('real = "random"', 'real = "first"'))

    found = evaluate(*sides, str(file), settings=Settings(cache=None, classes=r"^(\w+)/"))

    valued = [row for row in found.classes.scores[0].classes if row.value is not None]
    assert [row.name for row in valued] == ["cat", "dog"]
    for row in valued:
        alone = evaluate(*(side / row.name for side in sides), str(file), settings=Settings(cache=None))
        assert row.value == pytest.approx(alone.value, rel=1e-9)
        assert row.interval == pytest.approx(alone.scores[0].interval, rel=1e-9)


def test_classes_of_one_side_and_small_ones_are_named(result: Result) -> None:
    rows = {row.name: row for row in result.classes.scores[0].classes}
    found = [(w.code, w.side, dict(w.videos)) for w in result.warnings if "class" in w.code]

    assert rows["eel"].reason == "no fake videos" and rows["fox"].reason == "no real videos"
    assert "2" in rows["gnu"].reason and rows["gnu"].value is None
    assert ("class-missing", "fake", {"eel": "3 real"}) in found
    assert ("class-missing", "real", {"fox": "2 fake"}) in found
    (few,) = [videos for code, _, videos in found if code == "few-of-class"]
    assert few == {"cat": "5 real, 4 fake", "dog": "4 real, 4 fake", "gnu": "1 real, 3 fake"}


def test_the_json_keeps_them_and_older_results_have_none(result: Result) -> None:
    assert Result.from_json(result.to_json()) == result
    table = json.loads(result.to_json())
    del table["classes"]
    assert Result.from_json(json.dumps(table)).classes is None


def test_no_score_of_all_videos_depends_on_them(result: Result, sides, protocol) -> None:
    plain = evaluate(*sides, protocol, repeats=2, settings=Settings(cache=None))

    assert plain.classes is None
    assert plain.scores == result.scores


def test_a_table_names_the_classes_on_the_command_line(sides, protocol, tmp_path: Path) -> None:
    rows = [f"{kind}/{n},{'pet' if kind in ('cat', 'dog') else 'wild'}\n" for kind in KINDS for n in range(5)]
    (tmp_path / "labels.csv").write_text("video,label\n" + "".join(rows))
    place = ("--real", sides[0], "--fake", sides[1], "--protocol", protocol, "--no-cache", "--device", "cpu")
    by = ("--classes", f"{tmp_path / 'labels.csv'}:label")

    done = fvd_bench("compute", *place, *by, "--html", tmp_path / "page.html", COLUMNS="100")
    as_csv = fvd_bench("compute", *place, *by, "--format", "csv")

    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert next(line for line in lines if line[:1] == ["pet"])[-3:] == ["9", "+", "8"]
    assert any(line[:4] == ["mean", "over", "2", "classes"] for line in lines)
    assert any(line[:3] == ["all", "videos", "together"] and line[-3:] == ["13", "+", "13"] for line in lines)
    page = (tmp_path / "page.html").read_text()
    assert "Each class by itself" in page and "mean over 2 classes" in page
    table = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [row["row"] for row in table] == ["", "class-pet", "class-wild", "classes-mean"]
    assert float(table[3]["value"]) == pytest.approx(np.mean([float(row["value"]) for row in table[1:3]]))
    assert table[1]["digest"] == table[0]["digest"] and table[1]["floor"] == ""


def test_a_video_without_a_class_ends_the_run_before_it_begins(sides, protocol, tmp_path: Path) -> None:
    real = Path(shutil.copytree(sides[0] / "cat", tmp_path / "real"))

    with pytest.raises(FvdBenchError, match="classes 'folder': 5 of 5 names have no group"):
        evaluate(real, sides[1], protocol, settings=Settings(cache=None, classes="folder"))
