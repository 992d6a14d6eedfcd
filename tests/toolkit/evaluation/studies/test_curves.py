"""Scores put on axes: the order of checkpoints, the logs of training runs, and windows."""

import dataclasses
import json
from pathlib import Path

import pytest

from fvd_bench.errors import NotComparableError, ResultError
from fvd_bench.evaluation.comparisons.ranking import Entrant
from fvd_bench.evaluation.comparisons.result_files import ranked, ranking_json
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.studies.curves import Panel, over_windows, read
from fvd_bench.settings import Settings


@pytest.fixture(scope="module")
def result(sets: Path, protocol: str, settings: Settings) -> Result:
    return evaluate(sets / "real", sets / "good", protocol, settings=settings)


@pytest.fixture
def written(result: Result, tmp_path: Path):
    """Write the result under names, with a fake side that lies at a path, and return the files."""

    def write(*names: str, path: str = "samples") -> list[Path]:
        for name in names:
            fake = dataclasses.replace(result.fake, path=path.format(name))
            dataclasses.replace(result, fake=fake).write(tmp_path / f"{name}.json")
        return [tmp_path / f"{name}.json" for name in names]

    return write


def places(panel: Panel) -> list[tuple[float, str]]:
    return [(point.at, point.name) for point in panel.curves[0].points]


def test_checkpoints_are_in_the_order_of_their_numbers(written) -> None:
    (panel,) = read(written("run2-step_10000", "run2-step_500", "run2-step_2500"))

    assert places(panel) == [(500, "run2-step_500"), (2500, "run2-step_2500"), (10000, "run2-step_10000")]
    assert (panel.along, panel.is_scale, panel.protocol) == ("step", True, "pixels")


@pytest.mark.parametrize(
    ("names", "along"),
    [(("25kimg", "5kimg"), "kimg"), (("a/0.5", "a/0.25"), "checkpoint"), (("epoch 3 of 9", "epoch 1 of 9"), "epoch")],
)
def test_the_axis_is_named_after_what_is_counted(written, tmp_path: Path, names: tuple[str, ...], along: str) -> None:
    (tmp_path / "a").mkdir()

    (panel,) = read(written(*names))

    assert (panel.along, panel.is_scale) == (along, True)
    assert places(panel)[0][0] < places(panel)[1][0]


def test_a_number_in_the_path_of_the_fake_side_will_do(written) -> None:
    early, late = written("late", path="samples/7000")[0], written("early", path="samples/300")[0]

    (panel,) = read([early, late])

    assert places(panel) == [(300, "early"), (7000, "late")]


@pytest.mark.parametrize("names", [("before", "after"), ("1-of-2", "2-of-3"), ("v1", "w2")])
def test_else_the_order_is_the_one_given(written, names: tuple[str, ...]) -> None:
    (panel,) = read(written(*names))

    assert (places(panel), panel.is_scale) == ([(0, names[0]), (1, names[1])], False)


def test_points_have_what_the_scores_have(written, result: Result) -> None:
    (panel,) = read(written("1", "2"))

    (score,) = result.scores
    for point in panel.curves[0].points:
        assert (point.value, point.interval, point.floor) == (score.value, score.interval, score.floor)
        assert point.clips == 16


def test_results_against_other_real_videos_are_no_curve(written) -> None:
    files = written("1", "2")
    table = json.loads(files[1].read_text())
    table["real"]["fingerprint"] = "0" * 64
    files[1].write_text(json.dumps(table))

    with pytest.raises(NotComparableError, match="2 with 1: not comparable: the real videos"):
        read(files)


def test_a_ranking_is_a_curve_only_where_its_generators_differ_in_a_number(result: Result, tmp_path: Path) -> None:
    def write(*names: str) -> Path:
        entrants = {name: Entrant(result, {}, None) for name in names}
        (tmp_path / "ranking.json").write_text(ranking_json(ranked(entrants)))
        return tmp_path / "ranking.json"

    with pytest.raises(ResultError, match="a ranking of generators that differ in no number is no curve"):
        read([write("ours", "theirs")])
    (panel,) = read([write("step-20", "step-5")])
    assert places(panel) == [(5, "step-5"), (20, "step-20")]


def test_one_score_is_no_curve(written) -> None:
    with pytest.raises(ResultError, match="only is one score and no curve: give the results of several checkpoints"):
        read(written("only"))


@pytest.fixture
def run(tmp_path: Path):
    """Write the log of a training run, whose last line was cut off."""

    def write(name: str, *values: float) -> Path:
        lines = [{"kimg": 10 * k, "loss/generator": 0.7} for k in range(len(values))]
        lines += [
            {"kimg": 10 * k, "fvd": v, "fvd_low": v - 1, "fvd_high": v + 2, "fvd_floor": 3, "fvd_floor_low": 2}
            | ({"fvd_floor_high": 5} if k else {})
            for k, v in enumerate(values)
        ]
        (tmp_path / name).mkdir()
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (tmp_path / name / "log.jsonl").write_text(text + '{"kimg": 90, "fvd": 1')
        return tmp_path / name

    return write


def test_a_training_run_is_a_curve_over_frames_seen(run) -> None:
    (panel,) = read([run("one", 300.0, 200.0, 150.0)])

    (curve,) = panel.curves
    assert [(point.at, point.value) for point in curve.points] == [(0, 300), (10, 200), (20, 150)]
    assert [point.interval for point in curve.points] == [(299, 302), (199, 202), (149, 152)]
    assert curve.points[0].floor is None and curve.points[1].floor.interval == (2, 5)
    assert (panel.metric, panel.along, curve.name) == ("fvd", "thousands of frames seen in training", "")


def test_runs_and_logs_share_a_panel(run) -> None:
    runs = [run("one", 300.0, 200.0), run("two", 250.0) / "log.jsonl"]

    (panel,) = read(runs)

    assert [curve.name for curve in panel.curves] == ["one", "two/log.jsonl"]


def test_scores_by_another_protocol_or_of_other_numbers_are_curves_of_their_own(tmp_path: Path) -> None:
    """A run that is taken up again may be scored in another way."""
    of = [("a@1", 256), ("a@1", 256), ("a@1", 2048), ("b@1", 2048)]
    lines = [{"kimg": k, "protocol": name, "clips": n, "fvd": 9 - k} for k, (name, n) in enumerate(of)]
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    panels = read([tmp_path])

    assert [panel.protocol for panel in panels] == ["a@1, 2048 clips", "a@1, 256 clips", "b@1, 2048 clips"]
    assert [[point.value for point in panel.curves[0].points] for panel in panels] == [[7], [9, 8], [6]]
    assert panels[1].curves[0].points[0].clips == 256


def test_a_folder_without_scores_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"is a folder without a log\.jsonl: expected results as JSON"):
        read([tmp_path])
    (tmp_path / "log.jsonl").write_text('{"kimg": 3}\n[1]\n')
    with pytest.raises(ResultError, match=r"log\.jsonl has no scores: `stylegan-v train --fvd-kimg` writes"):
        read([tmp_path])
    (tmp_path / "log.jsonl").write_text('{"kimg": "x", "fvd": 3}\n')
    with pytest.raises(ResultError, match="kimg = 'x': expected a number"):
        read([tmp_path])


def test_windows_are_a_curve_for_each_result(sets, protocol: str, settings) -> None:
    file = Path(protocol)
    file.write_text(file.read_text().replace("frames = 9", "frames = 3"))
    windowed = dataclasses.replace(settings, windows=4)
    results = {name: evaluate(sets / "real", sets / name, protocol, settings=windowed) for name in ("good", "bad")}

    (panel,) = over_windows(results)

    assert [curve.name for curve in panel.curves] == ["good", "bad"]
    assert [(p.at, p.name) for p in panel.curves[0].points] == [
        (0, "frames 0 to 2"), (3, "frames 3 to 5"), (6, "frames 6 to 8"), (9, "frames 9 to 11")
    ]  # fmt: skip
    assert [p.value for p in panel.curves[1].points] == [s.value for s in results["bad"].scores[1:]]


@pytest.mark.parametrize("value", ["NaN", "true", '"3"', "1" + "0" * 400, "null"])
def test_a_value_of_a_log_that_is_no_number_is_a_gap(tmp_path: Path, value: str) -> None:
    (tmp_path / "log.jsonl").write_text(f'{{"kimg": 1, "fvd": 5}}\n{{"kimg": 2, "fvd": {value}}}\n')

    (panel,) = read([tmp_path])

    assert [point.value for point in panel.curves[0].points] == [5, None]
