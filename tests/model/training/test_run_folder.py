"""The folder of a run that has lost or damaged files."""

import shutil
from pathlib import Path

import pytest

from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.training import run_folder
from stylegan_v.training.run import load_run
from tests.model.training.conftest import go

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")


@pytest.fixture(scope="module")
def begun(run_of, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a step. Tests must not change it."""
    folder = tmp_path_factory.mktemp("begun")
    go(run_of(1), folder)
    return folder


def test_settings_that_are_gone_are_those_of_the_checkpoint(begun: Path, tmp_path: Path) -> None:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    file = tmp_path / run_folder.SETTINGS
    before = load_run(str(file), {})
    file.unlink()

    assert run_folder.restore(tmp_path) and not run_folder.restore(tmp_path)
    assert load_run(str(file), {}) == before
    assert not run_folder.restore(tmp_path / "new")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("best.pt", r"delete it to go on without it, and the next score writes another$"),
        ("checkpoint.pt", r"put a copy of it back to go on, or name another --out to begin anew$"),
    ],
)
def test_a_damaged_file_says_how_to_go_on(run_of, begun: Path, tmp_path: Path, name: str, remedy: str) -> None:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:-100])

    with pytest.raises(CheckpointError, match=rf"{name} is damaged.*; {remedy}"):
        go(run_of(2), tmp_path)


@pytest.mark.parametrize(
    ("kept", "named"), [("best.pt", "best.pt"), ("log.jsonl", "log.jsonl"), (None, "best.pt and log.jsonl")]
)
def test_a_training_whose_checkpoint_is_gone_is_not_begun_anew(
    run_of, begun: Path, tmp_path: Path, kept: str | None, named: str
) -> None:
    """Which dropped its log, and later its best generator."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    (tmp_path / "checkpoint.pt").rename(tmp_path / "best.pt")
    log = (tmp_path / "log.jsonl").read_bytes()
    for name in {"best.pt", "log.jsonl"} - {kept or "best.pt", kept or "log.jsonl"}:
        (tmp_path / name).unlink()

    with pytest.raises(ConfigError, match=rf"holds {named} of a training, and no checkpoint\.pt from which"):
        go(run_of(1), tmp_path)

    assert kept == "best.pt" or (tmp_path / "log.jsonl").read_bytes() == log


def test_a_run_that_ended_before_it_began_begins(run_of, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()

    go(run_of(1), tmp_path)

    assert (tmp_path / "log.jsonl").read_text()


def test_other_videos_than_before_are_told(run_of, toy_videos: Path, tmp_path: Path, capsys) -> None:
    videos, out = shutil.copytree(toy_videos, tmp_path / "videos"), tmp_path / "run"
    data = {"path": str(videos)}
    first, *_ = sorted(videos.iterdir())
    changes = [lambda: None, lambda: first.rename(videos / "other"), lambda: shutil.rmtree(videos / "other")]
    told = []
    for steps, change in enumerate(changes, start=1):
        change()
        go(run_of(steps, data=data), out)
        told.append([line for line in capsys.readouterr().err.splitlines() if "was trained on" in line])

    assert told[0] == []
    assert told[1][0].endswith(
        "now holds as many of other names or lengths: the run goes on with these, and its scores of before and after "
        "do not compare"
    )
    assert len(told[2]) == 1 and "frames: the run goes on" in told[2][0]
    go(run_of(4, data=data), out)
    assert "was trained on" not in capsys.readouterr().err


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Its lock is what has to be opened first, also where files in it may be written."""
    with pytest.raises(ConfigError, match=r"gone cannot be read: No such file"), run_folder.held(tmp_path / "gone"):
        pass


def test_settings_are_left_to_the_process_that_came_first(run_of, tmp_path: Path, monkeypatch) -> None:
    """Two may find the folder free at the same time, and one of them holds it then."""
    with run_folder.claimed(tmp_path, run_of(1)):
        before = (tmp_path / run_folder.SETTINGS).read_text()
        monkeypatch.setattr(run_folder, "check", lambda out, run: None)  # as it was found before

        with pytest.raises(ConfigError, match="another process trains in"):
            run_folder.claim(tmp_path, run_of(2))

        assert (tmp_path / run_folder.SETTINGS).read_text() == before
