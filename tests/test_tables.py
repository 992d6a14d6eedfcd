"""The paper's tables on other data, rehearsed with the smallest models and budgets of a moment."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from fvd_bench.errors import FvdBenchError
from stylegan_v.baselines import registry
from stylegan_v.errors import TrainingError
from stylegan_v.methods.method import Stage
from stylegan_v.training import ablations, snapshots

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], ModuleType]:
    """A script of benchmarks/, whose results go to a folder of the test."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(importlib.import_module("machine"), "RESULTS", tmp_path / "results")
    return importlib.import_module


@pytest.fixture
def data(tmp_path: Path, moving_frames, write_frames) -> Path:
    """Six videos where the talking faces are expected."""
    for seed in range(6):
        folder = tmp_path / "data" / "train" / "grid_faces_128" / f"{seed}"
        write_frames(folder, moving_frames(20, height=32, width=32, seed=seed))
    return tmp_path / "data"


def test_a_table_is_made_and_its_command_goes_on(
    module, data: Path, tmp_path: Path, write_pixels_protocol, monkeypatch
) -> None:
    table1, comparison = module("table1"), module("comparison")
    names = {"FVD16": 9, "FVD128": 64}  # longer than the faces, and drawn once
    scores = {name: write_pixels_protocol(tmp_path, name=name.lower(), frames=n) for name, n in names.items()}
    rows = [row for row in table1.rows() if row.name in ("stylegan2", "stylegan-v")]
    argv = [str(data), str(tmp_path / "out"), "--tiny", "--minutes", "0.004"]
    train = comparison.train
    calls = []

    def counted(run, *rest, **more):
        calls.append(run.model.method)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(run, *rest, **more)

    monkeypatch.setattr(comparison, "train", counted)
    monkeypatch.setattr(snapshots, "_STRIDE", 1)  # short films of its samples, which take longer than the training
    with pytest.raises(KeyboardInterrupt):
        comparison.main("table1", table1.__doc__, rows, "stylegan2", argv=argv, scores=scores)
    begun = {row.name: (tmp_path / "out" / "faces" / row.name / "row.json").exists() for row in rows}

    comparison.main("table1", table1.__doc__, rows, "stylegan2", argv=argv, scores=scores)
    trained = len(calls)
    comparison.main("table1", table1.__doc__, rows, "stylegan2", argv=argv, scores=scores)

    assert begun["stylegan2"]
    assert len(calls) == trained  # what was found is not asked again
    (file,) = (tmp_path / "results").glob("table1-*.json")
    found = json.loads(file.read_text())
    assert found["question"].startswith("how do StyleGAN-V") and found["tiny"] and found["budget"]["minutes"] == 0.004
    for name, videos in found["sets"].items():
        assert [*videos["rows"]] == ["stylegan2", "stylegan-v"]
        for row in videos["rows"].values():
            assert row["frames_seen"] > 0 and row["seconds"] > 0.98 * 0.24
            assert row["seconds_per_kimg"] == pytest.approx(1000 * row["seconds"] / row["frames_seen"], rel=1e-3)
            low, high = row["scores"]["FVD16"]["interval"]
            assert low <= row["scores"]["FVD16"]["value"] <= high
        assert videos["rows"]["stylegan2"]["cost"] == 1
        assert videos["rows"]["stylegan2"]["motion"]["fake"]["mean"] == pytest.approx(0, abs=1e-6)
        sheet, plot = ((tmp_path / "results").glob(f"table1-{name}-{kind}") for kind in ("sheet-*.jpg", "cost-*.png"))
        for (picture,) in ([*sheet], [*plot]):
            with Image.open(picture) as image:
                assert np.asarray(image).std() > 0
    faces, shapes = found["sets"]["faces"], found["sets"]["shapes"]
    reason = faces["rows"]["stylegan-v"]["scores"]["FVD128"]
    assert reason["value"] is None and "64" in reason["reason"]
    assert shapes["rows"]["stylegan-v"]["scores"]["FVD128"]["value"] > 0
    answer = shapes["others of the same kind"]["scores"]["FVD16"]["value"]
    assert 0 <= answer < min(row["scores"]["FVD16"]["value"] for row in shapes["rows"].values())


def test_a_row_that_fails_is_named_and_the_others_are_there(module, tmp_path: Path, monkeypatch) -> None:
    comparison = module("comparison")
    rows = [comparison.Row(name, name, {}) for name in ("good", "bad")]
    drawn = []

    def learned(row, *rest) -> dict:
        if row.name == "bad":
            raise TrainingError("not finite")
        return {"label": "good", "seconds_per_kimg": 2.0}

    monkeypatch.setattr(comparison, "learned", learned)
    monkeypatch.setattr(comparison, "SETS", {"a": lambda *_: comparison.VideoSet("a", "b", tmp_path)})
    monkeypatch.setattr(comparison.pictures, "sheet", lambda trained, *_, **__: drawn.append([*trained]))
    monkeypatch.setattr(comparison.pictures, "costs", lambda rows, *_: drawn.append([*rows]))

    with pytest.raises(SystemExit, match="tried again by the same command: a, bad"):
        comparison.main("table9", "Question: what?", rows, "good", argv=[str(tmp_path), str(tmp_path), "--tiny"])

    (file,) = (tmp_path / "results").glob("table9-*.json")
    assert json.loads(file.read_text())["sets"]["a"]["rows"] == {
        "good": {"label": "good", "seconds_per_kimg": 2.0, "cost": 1.0},
        "bad": {"label": "bad", "failed": "not finite"},
    }
    assert drawn == [["good"], ["good"]]


def test_one_set_alone(module, tmp_path: Path, monkeypatch) -> None:
    comparison = module("comparison")
    sets = {name: lambda *_, name=name: comparison.VideoSet(name, name, tmp_path) for name in ("faces", "shapes")}
    monkeypatch.setattr(comparison, "SETS", sets)
    monkeypatch.setattr(comparison, "learned", lambda row, *_: {"label": row.label, "seconds_per_kimg": 2.0})
    monkeypatch.setattr(comparison.pictures, "sheet", lambda *_, **__: None)
    monkeypatch.setattr(comparison.pictures, "costs", lambda *_: None)
    argv = [str(tmp_path), str(tmp_path), "--tiny", "--set", "shapes"]

    comparison.main("table9", "Question: what?", [comparison.Row("good", "good", {})], "good", argv=argv)

    (file,) = (tmp_path / "results").glob("table9-*.json")
    assert [*json.loads(file.read_text())["sets"]] == ["shapes"]


def test_another_budget_is_another_folder(module, tmp_path: Path) -> None:
    comparison = module("comparison")
    budget = comparison.Budget(
        minutes=1.0, device="cpu", preset="tiny", resolution=32, videos=6, repeats=1
    )  # fmt: skip
    (tmp_path / "row").mkdir()
    (tmp_path / "row" / "row.json").write_text('{"asked": {}, "stages": {}}')
    row = comparison.Row("stylegan2", "stylegan2", {"model": {"method": "stylegan2"}})

    with pytest.raises(SystemExit, match="another question"):
        comparison.learned(row, comparison.VideoSet("a", "b", tmp_path), budget, {}, tmp_path / "row", tmp_path)


def test_stages_split_the_budget(module, tmp_path: Path, monkeypatch) -> None:
    """And a stage ends where its share does, however long each call takes."""
    comparison = module("comparison")
    clock = [0.0]
    calls: list[tuple[str, float]] = []

    def train(run, folder, *, minutes, stage, **rest) -> float:
        calls.append((stage, minutes))
        clock[0] += 60 * minutes * 0.9
        return float(len(calls))

    class Method:
        @staticmethod
        def stages() -> tuple[Stage, ...]:
            return (Stage(None, "image", 0.75), Stage(None, "motion", 0.25))  # type: ignore[arg-type]

    class Run:
        method = Method

    monkeypatch.setattr(comparison, "train", train)
    monkeypatch.setattr(comparison.time, "monotonic", lambda: clock[0])
    budget = comparison.Budget(
        minutes=4.0, device="cuda", preset="tiny", resolution=32, videos=6, repeats=1
    )  # fmt: skip
    record: dict = {"stages": {}}
    for stage in Method.stages():
        comparison.spend(Run, stage, tmp_path, budget, record)

    assert [name for name, _ in calls] == 2 * ["image"] + 2 * ["motion"]
    assert record["stages"]["image"]["seconds"] == pytest.approx(180, rel=0.02)
    assert record["stages"]["motion"] == {"seconds": pytest.approx(60, rel=0.02), "kimg": 4.0}
    assert json.loads((tmp_path / "row.json").read_text()) == record


def test_what_a_method_cannot_do_is_said_in_its_own_words(module, tmp_path: Path, monkeypatch) -> None:
    comparison = module("comparison")
    budget = comparison.Budget(minutes=1.0, device="cpu", preset="tiny", resolution=32, videos=6, repeats=1)

    def short(*given, **more):
        raise FvdBenchError(f"{tmp_path}: videogpt makes videos of at most 16 frames")

    monkeypatch.setattr(comparison, "GeneratedVideos", short)
    videos = comparison.VideoSet("a", "b", tmp_path)
    found = comparison.scored(None, videos, budget, {"FVD128": "stylegan-v-fvd128"}, tmp_path)

    reason = "videogpt makes videos of at most 16 frames"
    assert found["scores"] == {"FVD128": {"value": None, "reason": f"the set a: {reason}"}}


def test_tables_have_the_rows_of_the_paper(module) -> None:
    table1, table2, table3 = (module(f"table{number}") for number in (1, 2, 3))

    assert {row.name for row in table1.rows()} == {*registry.MODULES} and table1.rows()[0].name == table1.BASELINE
    assert [row.name for row in (*table2.rows(), *table3.rows())] == [*ablations.NAMES]
    assert table2.BASELINE in ablations.NAMES and table3.BASELINE in ablations.NAMES
