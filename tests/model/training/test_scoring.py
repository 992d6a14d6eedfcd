"""Scores of a run: logged, compared with those before, and never at the cost of what was trained."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from fvd_bench.errors import ProtocolError, SourceError
from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint as checkpoints
from stylegan_v.cli import cli
from stylegan_v.data.labels import read_labels
from stylegan_v.sampling import scoring
from stylegan_v.sampling.scoring import evaluate
from stylegan_v.training import loop, run_folder
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run
from stylegan_v.training.session import Session
from tests.model.training.conftest import STEP_KIMG, go, lines

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")


@pytest.fixture(scope="module")
def scored(run_of, tmp_path_factory: pytest.TempPathFactory, write_pixels_protocol) -> tuple[Path, dict[str, Any]]:
    """The folder of a run of two steps and a score, and its settings of [report]. Tests must not change it."""
    folder = tmp_path_factory.mktemp("scored")
    report = {"fvd_kimg": 2 * STEP_KIMG, "fvd_videos": 4, "protocol": write_pixels_protocol(folder, frames=9)}
    go(run_of(2, report=report), folder / "run")
    return folder / "run", report


def test_scores_are_logged_and_the_best_generator_is_kept(run_of, tmp_path: Path, pixels_protocol) -> None:
    report = {"fvd_kimg": 2 * STEP_KIMG, "fvd_videos": 6, "protocol": pixels_protocol(frames=9)}

    go(run_of(5, report=report), tmp_path / "run")

    scored = [line for line in lines(tmp_path / "run") if "fvd" in line]
    scores = {line["kimg"]: line["fvd"] for line in scored}
    assert all(line["fvd_low"] <= line["fvd"] <= line["fvd_high"] for line in scored)
    best = checkpoints.load(tmp_path / "run" / "best.pt")
    assert sorted(scores) == pytest.approx([2 * STEP_KIMG, 4 * STEP_KIMG])
    assert best.state["score"] == pytest.approx(min(scores.values()), rel=1e-5)
    assert best.state["kimg"] == pytest.approx(min(scores, key=scores.get))
    assert best.generator().config == run_of(5).model
    assert [(line["protocol"], line["clips"]) for line in scored] == [("pixels@1", 6)] * 2


def test_a_score_of_classes_is_that_of_the_checkpoint_and_their_labels_are_read_once_for_all(
    run_of, tmp_path: Path, toy_videos: Path, pixels_protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol, read = pixels_protocol(frames=9), []
    run = run_of(2, report={"fvd_kimg": STEP_KIMG, "fvd_videos": 6, "protocol": protocol})
    monkeypatch.setattr(scoring, "read_labels", lambda *given: read.append(given) or read_labels(*given))

    go(dataclasses.replace(run, model=dataclasses.replace(run.model, num_classes=2)), tmp_path / "run")

    assert len(read) == 1
    logged = {line["fvd"] for line in lines(tmp_path / "run") if "fvd" in line}
    best = checkpoints.load(tmp_path / "run" / "best.pt")
    found = evaluate(best.generator(), toy_videos, videos=6, fps=best.fps, protocol=protocol, features=None)
    assert len(logged) == 2 and min(logged) == pytest.approx(found.scores[0].value, rel=1e-5)


def test_a_score_on_a_processor_is_that_of_its_checkpoint(
    run_of, toy_videos: Path, tmp_path: Path, pixels_protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are made in float32, whatever the networks were trained in."""
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    report = {"fvd_kimg": 2 * STEP_KIMG, "fvd_videos": 4, "protocol": pixels_protocol(frames=9)}
    go(run_of(2, train={"precision": "bfloat16"}, report=report), tmp_path / "run")
    best, file = tmp_path / "run" / "best.pt", tmp_path / "score.json"

    given = [best, "--real", toy_videos, "--videos", 4, "--protocol", report["protocol"], "--json", file]
    done = CliRunner().invoke(cli, ["evaluate", "--device", "cpu", *map(str, given)])

    assert done.exit_code == 0, (done.output, done.exception)
    (score,) = json.loads(file.read_text())["scores"]
    assert score["value"] == pytest.approx(checkpoints.load(best).state["score"], rel=1e-9)


def test_an_interruption_ends_a_score_which_is_made_when_the_run_goes_on(
    run_of, tmp_path: Path, pixels_protocol
) -> None:
    report = {"fvd_kimg": 2 * STEP_KIMG, "fvd_videos": 4, "protocol": pixels_protocol(frames=9), "snapshot_kimg": 9.0}
    run, scored = run_of(2, report=report), []

    def interrupt(what: str, done: int, total: int) -> None:
        if (tmp_path / "run" / "features").exists():
            scored.append(what)
            if len(scored) == 1:  # a second signal could come when another test is under way
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(run, tmp_path / "run", device="cpu", workers=1, minutes=None, progress=interrupt)

    assert len(scored) == 1
    assert checkpoints.load(tmp_path / "run" / "checkpoint.pt").state["trainer"]["steps"] == 2
    assert not any("fvd" in line for line in lines(tmp_path / "run"))

    for _ in range(2):
        go(run, tmp_path / "run")

    (scored_at,) = [line["kimg"] for line in lines(tmp_path / "run") if "fvd" in line]
    assert scored_at == pytest.approx(2 * STEP_KIMG)
    assert checkpoints.load(tmp_path / "run" / "best.pt").state["trainer"]["steps"] == 2


def test_the_best_score_is_remembered_by_a_run_that_goes_on(run_of, tmp_path: Path, scored) -> None:
    before, report = scored
    shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    best = checkpoints.load(tmp_path / "best.pt")
    checkpoints.save(dataclasses.replace(best, state={**best.state, "score": 1e-3}), tmp_path / "best.pt")

    run = run_of(4, report=report)
    go(run, tmp_path)

    assert checkpoints.load(tmp_path / "best.pt").state["score"] == 1e-3
    for changes, known in (({}, 1e-3), ({"fvd_videos": 5}, None), ({"protocol": "stylegan-v-fvd16"}, None)):
        changed = dataclasses.replace(run, report=dataclasses.replace(run.report, **changes))
        with contextlib.closing(begun(changed, tmp_path)) as session:
            assert session.best == known


def begun(run: Run, out: Path) -> Session:
    """A run in its folder, before its next step."""
    run = dataclasses.replace(run, train=dataclasses.replace(run.train, precision="float32"))
    run_folder.claim(out, run)
    trained = run.method.stage(run.stage).trainer(run, loop._open(run, 1, silent), torch.device("cpu"))
    return Session(run, out, trained)


def test_of_scores_that_are_to_be_high_the_highest_is_the_best(run_of, tmp_path: Path, pixels_protocol) -> None:
    protocol = Path(pixels_protocol(frames=9))
    protocol.write_text(protocol.read_text().replace('["fvd"]', '["precision"]'))
    run = run_of(1, report={"fvd_kimg": 1.0, "fvd_videos": 4, "protocol": str(protocol)})
    found = []

    with contextlib.closing(begun(run, tmp_path)) as session:
        for session.best in (-1.0, 2.0):
            session.score()
            found.append(session.best)

    assert 0 <= found[0] <= 1 and found[1] == 2


@pytest.mark.parametrize("change", ["other videos", "other data", "lost"])
def test_a_score_that_compares_with_none_before_is_the_best(
    run_of, toy_videos: Path, tmp_path: Path, scored, capsys, change: str
) -> None:
    before, report = scored
    shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "best.pt"
    for name, key in (("best.pt", "score"), ("checkpoint.pt", "best")):  # older versions had it in both
        found = checkpoints.load(tmp_path / name)
        checkpoints.save(dataclasses.replace(found, state={**found.state, key: 1e-3}), tmp_path / name)
    if change == "lost":
        file.unlink()

    data = tmp_path / "data"
    shutil.copytree(toy_videos, data)
    if change == "other data":
        shutil.copytree(data / "1", data / "0", dirs_exist_ok=True)

    go(
        run_of(4, data={"path": str(data)}, report={**report, "fvd_videos": 5 if change == "other videos" else 4}),
        tmp_path,
    )

    assert checkpoints.load(file).state["trainer"]["steps"] == 4
    said = {
        "other videos": "with 4 videos, which does not compare with",
        "other data": f"is the best against other real videos, which does not compare with those of {data}: the next",
    }
    err = capsys.readouterr().err
    assert [name for name, text in said.items() if text in err] == [name for name in said if name == change]


def test_a_score_that_fails_keeps_what_was_trained(run_of, tmp_path: Path, pixels_protocol, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SourceError("gone")

    monkeypatch.setattr("stylegan_v.training.session.evaluate", fail)
    report = {"fvd_kimg": 2 * STEP_KIMG, "protocol": pixels_protocol(frames=9), "snapshot_kimg": 9.0}

    with pytest.raises(SourceError, match="gone"):
        go(run_of(9, report=report), tmp_path)

    assert checkpoints.load(tmp_path / "checkpoint.pt").state["trainer"]["steps"] == 2


def test_what_scores_need_is_looked_at_before_training(run_of, tmp_path: Path) -> None:
    report = {"fvd_kimg": 1000.0, "protocol": "stylegan-v-fvd61"}

    with pytest.raises(ProtocolError, match="stylegan-v-fvd61"):
        go(run_of(1, report=report), tmp_path)

    assert list(tmp_path.iterdir()) == []
