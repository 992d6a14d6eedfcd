"""The paper's tables on other data, rehearsed with the smallest models and budgets of a moment."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

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
    names = {"FVD16": 9, "FVD128": 24}  # longer than the faces, and drawn once
    scores = {name: write_pixels_protocol(tmp_path, name=name.lower(), frames=n) for name, n in names.items()}
    rows = [row for row in table1.rows() if row.name in ("stylegan2", "stylegan-v")]
    argv = [str(data), str(tmp_path / "out"), "--tiny", "--minutes", "0.004"]
    train = comparison.train
    calls = []

    def counted(run, folder, **rest):
        calls.append(folder)
        if folder == second and calls.count(second) == 1:
            raise KeyboardInterrupt
        return train(run, folder, **rest)

    monkeypatch.setattr(comparison, "train", counted)
    monkeypatch.setattr(comparison, "DRAWN_ONCE", 24)
    monkeypatch.setattr(comparison, "SHAPE_FRAMES", 32)  # of which the longer score takes 24
    monkeypatch.setattr(snapshots, "_STRIDE", 1)  # few and short films of its samples, which take longer than steps
    monkeypatch.setattr(snapshots, "_ROWS", 2)
    first, second = (tmp_path / "out" / "faces" / row.name for row in rows)
    with pytest.raises(KeyboardInterrupt):
        comparison.main("table1", table1.__doc__, rows, "stylegan2", argv=argv, scores=scores)
    record = json.loads((first / "row.json").read_text())
    del record["asked"]["run"]["train"]["discriminator_kimg"]  # as of a version that did not have it
    (first / "row.json").write_text(json.dumps(record))
    trained = calls.count(first)

    comparison.main("table1", table1.__doc__, rows, "stylegan2", argv=argv, scores=scores)

    assert "found" in record and calls.count(first) == trained  # what was found is not asked again
    assert calls.count(second) > 1
    tables = {name: _result(tmp_path, f"table1-{name}") for name in ("faces", "shapes")}
    for name, found in tables.items():
        assert (
            found["question"].startswith("how do StyleGAN-V") and found["tiny"] and found["budget"]["minutes"] == 0.004
        )
        assert [*found["rows"]] == ["stylegan2", "stylegan-v"]
        for row in found["rows"].values():
            assert row["frames_seen"] > 0 and row["seconds"] > 0.98 * 0.24
            assert row["seconds_per_kimg"] == pytest.approx(1000 * row["seconds"] / row["frames_seen"], rel=1e-3)
            low, high = row["scores"]["FVD16"]["interval"]
            assert low <= row["scores"]["FVD16"]["value"] <= high
        assert found["rows"]["stylegan2"]["cost"] == 1
        assert found["rows"]["stylegan2"]["motion"]["fake"]["mean"] == pytest.approx(0, abs=1e-6)
        sheet, plot = ((tmp_path / "results").glob(f"table1-{name}-{kind}") for kind in ("sheet-*.jpg", "cost-*.png"))
        for (picture,) in ([*sheet], [*plot]):
            with Image.open(picture) as image:
                assert np.asarray(image).std() > 0
    reason = tables["faces"]["rows"]["stylegan-v"]["scores"]["FVD128"]
    assert reason["value"] is None and "24" in reason["reason"]
    assert tables["shapes"]["rows"]["stylegan-v"]["scores"]["FVD128"]["value"] > 0
    answer = tables["shapes"]["others of the same kind"]["scores"]["FVD16"]["value"]
    assert 0 <= answer < min(row["scores"]["FVD16"]["value"] for row in tables["shapes"]["rows"].values())


def _result(folder: Path, name: str) -> Any:
    (file,) = (folder / "results").glob(f"{name}-*.json")
    return json.loads(file.read_text())


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

    assert _result(tmp_path, "table9-a")["rows"] == {
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

    assert _result(tmp_path, "table9-shapes")["set"] == "shapes"
    assert not [*(tmp_path / "results").glob("table9-faces-*")]


def _budget(comparison: ModuleType, minutes: float) -> Any:
    return comparison.Budget(minutes=minutes, device="cpu", preset="tiny", resolution=32, videos=6, repeats=1)


class Still:
    """A generator of which nothing is asked but what it is."""

    recurrent = False

    def requires_grad_(self, _: bool) -> Still:
        return self


@pytest.mark.parametrize(
    ("method", "before", "after", "goes_on"),
    [("stylegan2", 1.0, 3.0, True), ("stylegan2", 3.0, 1.0, False), ("mocogan-hd", 1.0, 3.0, False)],
)
def test_a_larger_budget_goes_on_where_there_is_one_stage(
    module, tmp_path: Path, monkeypatch, method: str, before: float, after: float, goes_on: bool
) -> None:
    comparison = module("comparison")
    row = comparison.Row(method, method, {"model": {"method": method}})
    videos = comparison.VideoSet("a", "b", tmp_path)
    spent = []

    def spend(run, stage, folder, budget, record) -> None:
        spent.append(budget.minutes)
        record["stages"][stage.name] = {"seconds": 60 * budget.minutes, "kimg": budget.minutes}

    monkeypatch.setattr(comparison, "spend", spend)
    monkeypatch.setattr(comparison.checkpoint, "load", lambda file: SimpleNamespace(generator=lambda _: Still()))
    monkeypatch.setattr(comparison, "scored", lambda *_: {"scores": {}})

    def learned(minutes: float) -> dict:
        found: dict = comparison.learned(row, videos, _budget(comparison, minutes), {}, tmp_path / "row", tmp_path)
        return found

    (tmp_path / "row").mkdir()
    learned(before)
    if goes_on:
        found = learned(after)
        assert spent == [before, after] and found["seconds"] == 60 * after
        assert learned(after) == found and len(spent) == 2  # and what was found is kept
    else:
        with pytest.raises(SystemExit, match="another question"):
            learned(after)


def test_a_folder_of_other_settings_is_refused(module, tmp_path: Path) -> None:
    comparison = module("comparison")
    asked = {"budget": asdict(_budget(comparison, 0.5)), "run": {}, "scores": {}}
    (tmp_path / "row.json").write_text(json.dumps({"asked": asked, "stages": {}}))
    row = comparison.Row("stylegan2", "stylegan2", {"model": {"method": "stylegan2"}})

    with pytest.raises(SystemExit, match="another question"):
        comparison.learned(row, comparison.VideoSet("a", "b", tmp_path), _budget(comparison, 1), {}, tmp_path, tmp_path)


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
    budget = _budget(comparison, 1.0)

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
