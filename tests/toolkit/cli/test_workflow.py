"""The workflow that the docs offer: its steps are run as they stand."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.program import fvd_bench

WORKFLOW = Path(__file__).parents[3] / "docs" / "fvd-gate.yml"

VIDEOS = 6

GENERATE = """
import argparse, shutil
parser = argparse.ArgumentParser()
parser.add_argument("--out")
shutil.copytree("checkpoint", parser.parse_args().out, dirs_exist_ok=True)
"""


@pytest.fixture(scope="module")
def workflow() -> dict:
    return yaml.safe_load(WORKFLOW.read_text("utf-8"))


@pytest.fixture
def project(tmp_path: Path, moving_frames, write_video) -> Path:
    """A project with real videos, a checkpoint and a baseline made from that."""
    for side in ("data/real", "checkpoint"):
        for video in range(VIDEOS):
            frames = moving_frames(16, 32, 32, seed=len(side) * 100 + video)
            write_video(tmp_path / side / f"{video}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    (tmp_path / "generate.py").write_text(GENERATE)
    with contextlib.chdir(tmp_path):
        made = ["compute", "--real", "data/real", "--fake", "checkpoint", "--json", "baseline.json"]
        fvd_bench(*made, "--keep-features").check_returncode()
    return tmp_path


def _bash(command: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    summary = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    environment = {**os.environ, **summary, **variables, "PATH": path}
    return subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _run(workflow: dict, project: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run the steps until one fails, as a runner does."""
    done: list[subprocess.CompletedProcess[str]] = []
    for step in workflow["jobs"]["gate"]["steps"]:
        if "run" in step and not (done and done[-1].returncode):
            done.append(_bash(step["run"], project, workflow["env"]))
    return done


@pytest.mark.slow  # programs of their own with the network; their commands are tested by test_gate.py
def test_the_steps_pass_and_fail_as_they_should(workflow: dict, project: Path, moving_frames, write_video) -> None:
    passed = _run(workflow, project)

    assert [(step.returncode, step.stderr if step.returncode else "") for step in passed] == [(0, "")] * 3
    assert json.loads((project / "fvd.json").read_text())["failed"] is False
    assert "no regression" in (project / "summary.md").read_text()

    for video in range(VIDEOS):
        frames = moving_frames(16, 32, 32, seed=1000 + video) // 4
        write_video(project / "checkpoint" / f"{video}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    failed = _run(workflow, project)

    assert failed[-1].returncode == 1, failed[-1].stderr
    assert ElementTree.parse(project / "fvd.xml").getroot().get("failures") == "1"


def test_reports_are_kept_after_a_failure_too(workflow: dict) -> None:
    *_, last = workflow["jobs"]["gate"]["steps"]

    assert last["if"] == "always()"
    assert last["with"]["path"].split() == ["fvd.json", "fvd.xml"]
