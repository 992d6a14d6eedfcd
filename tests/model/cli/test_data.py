import subprocess
import sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from fvd_bench.sources.opening import open_source
from stylegan_v.cli import cli
from tests.program import stylegan_v


def _run(*arguments: object):
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


def test_a_set_is_prepared_and_counted(two_sides, tmp_path: Path) -> None:
    real, _ = two_sides

    done = _run(real, tmp_path / "out", "--resolution", 32, "--skip", 2, "--chunk", 11, "--quality", 90)

    assert done.exit_code == 0
    rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    # 12, 15, … 27 frames, less 2, make 0, 1, 1, 1, 2, 2 pieces
    assert rows == [
        ["videos used", "5"],
        ["  of these prepared by an earlier run", "0"],
        ["  of these smaller than the frames and scaled up", "0"],
        ["videos skipped", "1"],
        ["folders", "7"],
        ["frames", "77"],
        ["  of these with errors in the stream", "0"],
        ["frames left out, at the beginning of videos", "10"],
        ["frames left out, too few for a piece", "28"],
    ]
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "stylegan-v: skipped 0.mkv: too short: 10 frames decode behind the first 2, 11 are needed" in done.stderr
    prepared = open_source(tmp_path / "out")
    assert len(prepared.names) == 7
    assert next(prepared.video(0).frames(np.array([0]))).jpeg_quality == 90


def test_a_skipped_video_is_an_error_where_that_is_asked_for(two_sides, tmp_path: Path) -> None:
    real, _ = two_sides

    done = stylegan_v("data", real, tmp_path / "out", "--resolution", 32, "--chunk", 15, "--strict")

    assert done.returncode == 3
    assert "stylegan-v: error: 1 video of" in done.stderr
    assert "too short: 12 frames" in done.stderr
    assert len(open_source(tmp_path / "out").names) == 5


def test_a_resolution_is_needed_and_must_be_served(two_sides, tmp_path: Path) -> None:
    real, _ = two_sides

    assert _run(real, tmp_path / "out").exit_code == 2
    assert _run(real, tmp_path / "out", "--resolution", 100).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_the_command_line_starts_without_heavy_modules() -> None:
    heavy = ["torch", "scipy", "pandas", "av", "PIL", "numpy", "safetensors"]
    program = f"import sys, stylegan_v.cli; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
