"""Several processes that train together have to see the same videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.forked import ranks

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")


def test_processes_that_see_other_videos_are_refused(run_of, toy_videos: Path, tmp_path: Path) -> None:
    """Each trained on a share of its own list of them, without a word."""
    fewer = shutil.copytree(toy_videos, tmp_path / "fewer")
    shutil.rmtree(min(fewer.iterdir()))
    (tmp_path / "run.toml").write_text(run_of(1).to_toml())
    code = (
        "import os, sys\nfrom stylegan_v.cli import main\nfirst, second, *rest = sys.argv[1:]\n"
        "sys.argv = ['stylegan-v', 'train', '--data', second if os.environ['RANK'] == '1' else first, *rest]\nmain()"
    )
    options = ["--config", tmp_path / "run.toml", "--out", tmp_path / "out", "--device", "cpu"]

    both = ranks(2, "-c", code, toy_videos, fewer, *options)

    assert [done.returncode for done in both] == [3, 3], both[0].stderr
    assert "the processes of this run see other videos there" in both[0].stderr
    assert not (tmp_path / "out").exists()
