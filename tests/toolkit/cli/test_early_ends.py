"""What ends a command early: Ctrl-C, features that are not finite, a full disk, a store or a folder that is no use."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.networks import inception
from fvd_bench.protocols.protocol import text
from fvd_bench.settings import Settings
from tests.forked import Program
from tests.program import fvd_bench


def test_control_c_exits_130_and_keeps_what_is_done(
    tmp_path: Path, two_sides, moving_frames, write_video, pixels_protocol, stored_entries
) -> None:
    real = tmp_path / "real"
    for seed in range(30):
        write_video(real / f"{seed}.mkv", moving_frames(40, 96, 128, seed=seed), codec="ffv1", pix_fmt="bgr0")
    command = ["-m", "fvd_bench", "compute", "--real", real, "--fake", two_sides[1], "--workers", "1"]
    command += ["--protocol", pixels_protocol(), "--cache", tmp_path / "s", "--repeats", "40"]
    running = Program(*command)
    while running.is_running() and stored_entries(tmp_path / "s") < 1:
        time.sleep(0.002)
    running.send(signal.SIGINT)
    done = running.end()

    assert done.returncode == 130
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (("compute", "--cache", "store"), True),
        (("compute", "--no-cache"), False),
        (("paired",), True),
        (("paired", "--metric", "psnr"), False),
    ],
)
def test_an_interrupted_command_says_what_is_kept_only_where_something_is(
    command, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules[f"fvd_bench.cli.{command[0]}"], "progress", interrupted)

    done = fvd_bench(*command, "--real", "real", "--fake", "fake")

    said = "; finished features are kept, the same command goes on from there" if kept else ""
    assert (done.returncode, done.stderr) == (130, f"fvd-bench: interrupted{said}\n")


def test_features_that_are_not_finite_stop_the_run(
    tmp_path: Path, moving_frames, write_frames, seeded_inception: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real Inception whose weights hold a NaN: accepted by path, found out by its features."""
    monkeypatch.setattr(inception, "BATCH_FRAMES", 1)
    protocol = tmp_path / "one.toml"
    protocol.write_text(text("stylegan-v-fid").replace('"stylegan-v-fid"', '"one"').replace("fake = 16", "fake = 1"))
    for video in range(2):
        write_frames(tmp_path / "side" / f"{video}", moving_frames(1, seed=video))
    state = torch.load(seeded_inception, weights_only=True)
    state["Conv2d_1a_3x3.conv.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "nan.pth")

    done = fvd_bench(
        "compute", "--real", tmp_path / "side", "--fake", tmp_path / "side", "--protocol", protocol, "--no-cache",
        "--weights", f"inception-2015-12-05={tmp_path / 'nan.pth'}",
    )  # fmt: skip

    assert done.returncode == 3
    assert "inception gave features that are not finite" in done.stderr


def test_the_disk_being_full_stops_the_run_with_advice(two_sides, pixels_protocol, tmp_path: Path) -> None:
    """The limit on file sizes is inherited by the process; the store cannot grow."""
    program = (
        "import resource, signal, sys, runpy\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "sys.argv = ['fvd-bench', *sys.argv[1:]]; runpy.run_module('fvd_bench', run_name='__main__')\n"
    )
    sides = ["--real", two_sides[0], "--fake", two_sides[1], "--protocol", pixels_protocol(), "--cache", tmp_path / "s"]
    done = Program("-c", program, "compute", *sides).end()

    assert done.returncode == 3
    assert "feature store" in done.stderr
    assert "--no-cache" in done.stderr


def test_a_store_that_can_only_be_read_serves_what_it_holds(moving_frames, pixels_protocol, tmp_path: Path) -> None:
    """Also where files have changed their times, so that their digests are not known. The right of root to write what
    nobody may write is given up."""
    sides = [tmp_path / "real", tmp_path / "fake"]
    for seed, file in enumerate(side / f"{number}.npy" for side in sides for number in range(4)):
        file.parent.mkdir(exist_ok=True)
        np.save(file, moving_frames(12, 16, 16, seed=seed))
    store, protocol = tmp_path / "store", pixels_protocol()
    expected = evaluate(*sides, protocol, settings=Settings(cache=store, device="cpu"))
    for file in sides[0].iterdir():
        os.utime(file)
    store.chmod(0o555)
    (store / "features.sqlite").chmod(0o444)
    program = (
        "import ctypes, sys, runpy\n"
        "libc, of, rights = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "libc.capget(of, rights); rights[0] &= ~2; libc.capset(of, rights)\n"
        "sys.argv = ['fvd-bench', *sys.argv[1:]]; runpy.run_module('fvd_bench', run_name='__main__')\n"
    )
    command = ["compute", "--real", sides[0], "--fake", sides[1], "--protocol", protocol, "--cache", store]
    running = [Program("-c", program, *command, "--seed", seed, "--format", "score") for seed in (0, 1)]

    held, lacking = (each.end() for each in running)

    assert held.returncode == 0, held.stderr
    assert float(held.stdout) == expected.value
    assert lacking.returncode == 3 and "lacks features that have to be made" in lacking.stderr


def test_a_folder_that_was_deleted_is_told_by_any_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    done = fvd_bench("compute", "--real", tmp_path / "real", "--fake", tmp_path / "fake")

    assert (done.returncode, done.stderr) == (
        3, "fvd-bench: error: the current folder was deleted: change into one that is there\n"
    )  # fmt: skip
