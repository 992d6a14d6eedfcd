"""check and compare on the command line: exit codes, streams, files."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from fvd_bench.cli.gate import percent
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.result import Result
from tests.program import fvd_bench


@pytest.fixture(scope="module")
def sets(tmp_path_factory, moving_frames, write_video) -> Path:
    root = tmp_path_factory.mktemp("gate")
    for number, name in enumerate(["real", "good", "bad"]):
        for video in range(12):
            frames = moving_frames(12, 32, 32, seed=100 * number + video) // (3 if name == "bad" else 1)
            write_video(root / name / f"{video:02d}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    return root


@pytest.fixture(scope="module")
def run(sets: Path, write_pixels_protocol):
    """Run a command with one store for all tests, so that each video is read once."""
    protocol = write_pixels_protocol(sets)

    def run(command: str, fake: str, *arguments: object, real: str = "real") -> subprocess.CompletedProcess[str]:
        sides = ["--real", sets / real, "--fake", sets / fake, "--protocol", protocol]
        return fvd_bench(command, *sides, "--cache", sets / "store", *arguments)

    return run


@pytest.fixture(scope="module")
def scored(run, sets: Path) -> Path:
    made = run("compute", "good", "--json", sets / "base.json", "--keep-features")
    assert made.returncode == 0, made.stderr
    return sets / "base.json"


@pytest.fixture
def base(scored: Path, tmp_path: Path) -> Path:
    """A copy of the result of the good videos, with its features beside it."""
    shutil.copy(result_features.beside(scored), result_features.beside(tmp_path / "base.json"))
    return shutil.copy(scored, tmp_path / "base.json")


def test_a_pass_a_regression_and_its_acceptance(run, base: Path, tmp_path: Path) -> None:
    passed = run("check", "good", "--baseline", base)
    files = ["--json", tmp_path / "c.json", "--junit", tmp_path / "c.xml", "--markdown", tmp_path / "c.md"]
    failed = run("check", "bad", "--baseline", base, *files)
    accepted = run("check", "bad", "--baseline", base, "--update")
    after = run("check", "bad", "--baseline", base)

    assert [done.returncode for done in (passed, failed, accepted, after)] == [0, 1, 0, 0]
    assert "fvd-bench: warning: 12 fake videos for 54 features" in passed.stderr
    assert "REGRESSION" in failed.stdout
    assert "Traceback" not in failed.stderr
    assert json.loads((tmp_path / "c.json").read_text())["failed"] is True
    assert ElementTree.parse(tmp_path / "c.xml").getroot().get("failures") == "1"
    assert (tmp_path / "c.md").read_text().startswith("### fvd-bench: regression")
    assert "now holds the new result" in accepted.stderr


def test_several_processes_do_not_each_do_all_of_it(sets: Path, tmp_path: Path) -> None:
    sides = ["--real", sets / "real", "--fake", sets / "good", "--baseline", tmp_path / "base.json"]

    for command, *given in (
        ("check", *sides),
        ("inspect", sets / "real"),
        ("demo", "--folder", tmp_path / "demo"),
        ("selftest",),
        ("networks check", "i3d"),
    ):
        done = fvd_bench(*command.split(), *given, RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")

        assert done.returncode == 2
        assert f"{command} is not divided, and 2 processes would each do all of it: run the command" in done.stderr


def test_what_cannot_be_compared_exits_with_4_and_is_in_the_report(run, base: Path, tmp_path: Path) -> None:
    done = run("check", "good", "--baseline", base, "--junit", tmp_path / "c.xml", real="bad")

    assert done.returncode == 4
    assert "not comparable: the real videos: fingerprint is" in done.stderr
    (error,) = ElementTree.parse(tmp_path / "c.xml").getroot().iter("error")
    assert error.get("type") == "NotComparableError"


def test_json_on_stdout_is_alone_there(run, base: Path) -> None:
    checked = run("check", "good", "--baseline", base, "--json", "-")
    compared = fvd_bench("compare", base, base, "--json", "-")

    assert json.loads(checked.stdout)["scores"][0]["verdict"] == "same"
    assert json.loads(compared.stdout)["scores"][0]["change"] == 0


def test_compare_says_whether_two_results_can_be_told_apart(run, base: Path, tmp_path: Path) -> None:
    run("compute", "bad", "--json", tmp_path / "bad.json")
    table = json.loads((tmp_path / "bad.json").read_text())
    table["warnings"].append({"code": "videos-skipped", "message": "1 fake video is skipped: 12.mkv"})
    (tmp_path / "bad.json").write_text(json.dumps(table))

    done = fvd_bench("compare", base, tmp_path / "bad.json")

    assert done.returncode == 0
    assert "fvd-bench: warning: 12 fake videos for 54 features" in done.stderr  # which both results say
    assert "fvd-bench: warning: now: 1 fake video is skipped: 12.mkv" in done.stderr
    assert "worse" in done.stdout
    assert "REGRESSION" not in done.stdout  # that is a matter of what is allowed
    assert "better" in fvd_bench("compare", tmp_path / "bad.json", base).stdout


@pytest.mark.parametrize("share", ["5", "0.05", "-5%", "five%"])
def test_the_allowance_is_a_percentage(run, base: Path, share: str) -> None:
    done = run("check", "good", "--baseline", base, f"--max-increase={share}")

    assert done.returncode == 2
    assert "expected a share such as 5%" in done.stderr


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("12.5%", 0.125), ("0%", 0.0), ("200%", 2.0)])
def test_a_percentage_is_of_a_hundred(text: str, share: float) -> None:
    assert percent(text) == pytest.approx(share, rel=1e-12)


def test_features_are_kept_beside_a_file_alone(run) -> None:
    done = run("compute", "good", "--keep-features")

    assert done.returncode == 2
    assert "needs one" in done.stderr


@pytest.mark.parametrize("files", [0, 1])
def test_a_result_cut_off_between_its_files_has_its_features_or_none(
    run, base: Path, files: int, interrupted_replacing
) -> None:
    before = Result.read(base)

    with interrupted_replacing(".base.", files):
        done = run("compute", "bad", "--json", base, "--keep-features")

    assert done.returncode == 130, done.stderr
    assert (Result.read(base) == before) == (files == 0)
    assert result_features.kept(base, Result.read(base)) is None
    assert not list(base.parent.glob(".base.*"))


def test_videos_beside_a_result_are_not_taken_for_its_features(run, base: Path, tmp_path: Path, moving_frames) -> None:
    """As where fake.npz is scored and the result is fake.json."""
    videos, result = tmp_path / "fake.npz", tmp_path / "fake.json"
    np.savez(videos, **{f"{n:02d}": moving_frames(12, 32, 32, seed=n) for n in range(12)})
    whole = videos.read_bytes()

    kept = run("compute", videos, "--json", result, "--keep-features")
    assert kept.returncode == 3 and "fake.npz is where features are kept" in kept.stderr and not result.exists()
    scored = run("compute", videos, "--json", result)
    assert scored.returncode == 0 and "delete" not in scored.stderr
    assert fvd_bench("compare", result, base).returncode == 0
    updated = run("check", "good", "--baseline", result, "--update")
    assert updated.returncode == 3 and "holds something else, which is not replaced" in updated.stderr
    assert videos.read_bytes() == whole


def test_results_may_come_through_pipes(base: Path) -> None:
    """As of `compare <(…) <(…)`; a file may be looked into more than once, and a pipe is read once."""
    result_features.beside(base).unlink()
    whole = fvd_bench("compare", base, base, "--format", "csv")
    ends = [os.pipe() for _ in range(2)]
    for _, write in ends:
        os.write(write, base.read_bytes())
        os.close(write)

    piped = fvd_bench("compare", *(f"/dev/fd/{read}" for read, _ in ends), "--format", "csv")

    assert piped.returncode == 0, piped.stderr
    assert piped.stdout == whole.stdout


def _piped(text: bytes, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What a command makes of a text on its stdin."""
    kept, (read, write) = os.dup(0), os.pipe()
    os.write(write, text)
    os.close(write)
    os.dup2(read, 0)
    try:
        return fvd_bench(*arguments)
    finally:
        os.dup2(kept, 0)
        os.close(read)
        os.close(kept)


def test_a_result_may_come_on_stdin(base: Path, sets: Path, tmp_path: Path) -> None:
    """As of `fvd-bench compute … --json - | fvd-bench cite -`."""
    result_features.beside(base).unlink()
    text, other = base.read_bytes(), tmp_path / "other.json"
    other.write_bytes(text)
    sides = ["--real", sets / "real", "--fake", sets / "good", "--cache", sets / "store"]

    for command, *rest in (
        ("compare", other, "--format", "csv"),
        ("cite",),
        ("export", "--format", "csv"),
    ):
        named, piped = fvd_bench(command, base, *rest), _piped(text, command, "-", *rest)
        assert (named.returncode, piped.returncode) == (0, 0), piped.stderr
        assert piped.stdout == named.stdout.replace("base", "stdin")
    assert "stdin is one score and no curve" in _piped(text, "report", "-").stderr
    checked = _piped(text, "check", *sides, "--baseline", "-", "--protocol", sets / "pixels.toml")
    assert checked.returncode == 0, checked.stderr
    refused = _piped(text, "check", *sides, "--baseline", "-", "--update")
    assert refused.returncode == 2 and "stdin cannot be replaced" in refused.stderr


def test_a_missing_baseline_is_bad_input(run, tmp_path: Path) -> None:
    done = run("check", "good", "--baseline", tmp_path / "none.json")

    assert done.returncode == 3
    assert "fvd-bench compute … --json none.json" in done.stderr


def test_both_reports_on_stdout_are_refused(run, base: Path) -> None:
    done = run("check", "good", "--baseline", base, "--json", "-", "--junit", "-")

    assert done.returncode == 2


def test_a_report_in_the_place_of_the_baseline_is_refused(run, base: Path) -> None:
    before = base.read_bytes()

    done = run("check", "good", "--baseline", base, "--update", "--json", base)

    assert (done.returncode, base.read_bytes()) == (2, before)
