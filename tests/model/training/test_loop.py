"""Runs in their folders: resumed, killed, interrupted, diverged, out of memory, and in two processes."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from fvd_bench.errors import FvdBenchError
from fvd_bench.progress import silent
from fvd_bench.words import duration
from stylegan_v.checkpoints import checkpoint as checkpoints
from stylegan_v.errors import CheckpointError, ConfigError, TrainingError
from stylegan_v.methods import style_trainer as trainer
from stylegan_v.training import loop, pace, session, snapshots
from stylegan_v.training.loop import train
from stylegan_v.training.pace import Pace, in_seconds
from stylegan_v.training.run import Run, load_run
from tests.forked import Program, ranks
from tests.model.training.conftest import STEP_KIMG, go, lines

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

SHORT_FILMS = (
    "from stylegan_v.cli import main; from stylegan_v.training import snapshots; "
    "snapshots._STRIDE, snapshots._ROWS = 1, 2; main()"
)


def command(run: Run, out: Path, *options: str) -> list[str]:
    """What follows `python` to train it, with short films as in this process."""
    file = out.with_suffix(".toml")
    file.write_text(run.to_toml())
    return ["-c", SHORT_FILMS, "train", "--config", str(file), "--out", str(out), "--device", "cpu", *options]


def tensors(out: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoints.load(out / "checkpoint.pt").tensors)


def assert_same(a: Path, b: Path, *, tolerance: float = 0.0) -> None:
    """Equal within a tolerance, relative where values are large: those of slow layers are of the order of 100."""
    mine, theirs = tensors(a), tensors(b)
    assert mine.keys() == theirs.keys()
    apart = {n: float((t.double() - theirs[n].double()).abs().max() / t.abs().max().clip(1)) for n, t in mine.items()}
    assert max(apart.values()) <= tolerance, max(apart, key=apart.get)


@pytest.fixture(scope="module")
def straight(run_of, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of seven steps that nothing interrupted. Tests must not change it."""
    folder = tmp_path_factory.mktemp("straight")
    go(run_of(7), folder)
    return folder


def test_the_same_command_goes_on_and_changes_no_bit(run_of, straight: Path, tmp_path: Path) -> None:
    for steps in (2, 3, 7, 7):
        go(run_of(steps), tmp_path)

    assert_same(straight, tmp_path)
    both = [lines(folder) for folder in (straight, tmp_path)]
    assert [line["kimg"] for line in both[1]] == pytest.approx([STEP_KIMG * step for step in range(1, 8)])
    for a, b in zip(*both, strict=True):
        del a["seconds_per_kimg"], b["seconds_per_kimg"]
        assert a == b


def test_a_killed_run_goes_on_and_changes_no_bit(run_of, straight: Path, tmp_path: Path) -> None:
    run, killed = run_of(7), tmp_path / "killed"
    process = Program(*command(run, killed))
    while process.is_running() and len(lines(killed) if (killed / "log.jsonl").exists() else []) < 3:
        time.sleep(0.02)
    process.send(signal.SIGKILL)
    process.end()

    go(run, killed)

    assert_same(straight, killed)
    assert [line["kimg"] for line in lines(killed)] == [line["kimg"] for line in lines(straight)]


def test_an_interrupted_run_ends_its_step_and_keeps_it(run_of, tmp_path: Path) -> None:
    run, out = run_of(100000, report={"snapshot_kimg": 1000.0}), tmp_path / "run"
    process = Program(*command(run, out))
    while process.is_running() and len(lines(out) if (out / "log.jsonl").exists() else []) < 2:
        time.sleep(0.02)
    process.send(signal.SIGINT)
    done = process.end()

    assert done.returncode == 130, done.stderr
    assert "interrupted: ends as soon as the step under way is done and saved" in done.stderr
    assert "the same command goes on from there" in done.stderr
    assert checkpoints.load(out / "checkpoint.pt").state["trainer"]["steps"] >= 2


def test_a_time_limit_ends_a_run_that_goes_on_later(run_of, tmp_path: Path) -> None:
    train(run_of(10**6), tmp_path, device="cpu", workers=1, minutes=0.01, progress=silent)

    steps = checkpoints.load(tmp_path / "checkpoint.pt").state["trainer"]["steps"]
    assert 0 < steps < 1000


def test_one_process_trains_in_a_folder_at_a_time(run_of, tmp_path: Path) -> None:
    run, refused = run_of(1), []

    def another(pace: Pace) -> None:
        with pytest.raises(ConfigError, match=f"another process trains in {tmp_path}"):
            go(run, tmp_path)
        refused.append(pace.frames)

    train(run, tmp_path, device="cpu", workers=1, minutes=None, progress=silent, told=another)
    go(run, tmp_path)

    assert refused == [12]


def test_a_call_that_has_no_time_takes_a_step_so_that_many_get_on(run_of, tmp_path: Path) -> None:
    for _ in range(2):
        train(run_of(10**6), tmp_path, device="cpu", workers=1, minutes=0.0, progress=silent)

    assert checkpoints.load(tmp_path / "checkpoint.pt").state["trainer"]["steps"] == 2


def test_two_processes_do_what_one_does(run_of, tmp_path: Path) -> None:
    run = run_of(3)
    go(run, tmp_path / "one")

    told, other = ranks(2, *command(run, tmp_path / "two"))

    assert (told.returncode, other.returncode) == (0, 0), told.stderr + other.stderr
    assert told.stderr.endswith(f"{tmp_path / 'two'}: trained on 36 of 36 frames\n")
    assert other.stdout + other.stderr == ""
    assert_same(tmp_path / "one", tmp_path / "two", tolerance=1e-5)
    assert len(lines(tmp_path / "two")) == 3


def test_numbers_that_are_not_finite_end_the_run(run_of, tmp_path: Path) -> None:
    run = run_of(50, train={"learning_rate": 1e15})

    with pytest.raises(TrainingError, match=r"checkpoint\.pt is from before that"):
        go(run, tmp_path)

    assert all(torch.isfinite(tensor).all() for tensor in tensors(tmp_path).values())


def test_broken_networks_are_not_saved(run_of, tmp_path: Path, monkeypatch) -> None:
    step = session.Session.step

    def breaks(self: session.Session, batch) -> None:
        step(self, batch)  # whose losses are finite
        next(iter(self.trainer.tensors().values())).view(-1)[0] = math.nan

    monkeypatch.setattr(session.Session, "step", breaks)

    with pytest.raises(TrainingError, match=r"is not finite at .*checkpoint\.pt is from before that"):
        go(run_of(1), tmp_path)

    assert checkpoints.load(tmp_path / "checkpoint.pt").state["trainer"]["steps"] == 0


def test_too_little_memory_ends_the_run_with_advice(run_of, tmp_path: Path) -> None:
    run = run_of(5, train={"batch": 2048})
    limit = "import resource, sys, torch, stylegan_v.training.loop; from stylegan_v.cli import main; " + (
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096; "
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2); main()"
    )
    done = Program("-c", limit, *command(run, tmp_path / "run", "--workers", "1")[2:]).end()

    assert done.returncode == 3, done.stderr[-2000:]
    assert "out of memory with 2048 videos" in done.stderr
    assert "--micro-batch 1024" in done.stderr
    assert "Traceback" not in done.stderr
    assert tensors(tmp_path / "run")


def test_clips_from_files_train_as_clips_from_memory_do(run_of, tmp_path: Path) -> None:
    go(run_of(2, data={"preload": "never"}), tmp_path / "files")
    go(run_of(2, data={"preload": "always"}), tmp_path / "memory")

    assert_same(tmp_path / "files", tmp_path / "memory")


@pytest.mark.parametrize("preload", ["never", "always"])
def test_the_set_is_opened_and_drawn_from_as_the_run_says(run_of, preload: str) -> None:
    run = run_of(1, data={"mirror": True, "preload": preload}, train={"seed": 9})
    run = dataclasses.replace(run, model=dataclasses.replace(run.model, num_classes=2, frames=2))

    dataset = loop._open(run, 1, silent)
    made = trainer.StyleTrainer(run, dataset, torch.device("cpu"))
    with contextlib.closing(loop._batches(run, dataset, made, 1, silent)) as clips:
        batch = next(clips)

    assert (dataset.mirror, dataset.times.rule) == (True, made.clips(run.model)) and dataset.times.rule.frames == 2
    for place, (frames, label) in enumerate(zip(batch.frames, batch.labels, strict=True)):
        expected = next(dataset.real_clips([place], seed=9))
        assert torch.equal(frames, torch.from_numpy(expected.frames).permute(0, 3, 1, 2))
        assert label.tolist() == expected.label.tolist() and label.sum() == 1


def test_the_time_of_steps_is_told_without_that_of_samples(run_of, tmp_path: Path, monkeypatch) -> None:
    """Three seconds a step, and a hundred for what is saved beside every second one."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)

    def pass_by(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(session, "time", clock)
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(session, "save_fakes", lambda *_, **__: pass_by(100.0))
    train(run_of(4), tmp_path, device="cpu", workers=1, minutes=None, progress=silent, told=lambda pace: pass_by(3.0))

    assert [line["seconds_per_kimg"] for line in lines(tmp_path)] == pytest.approx([3.0 / STEP_KIMG] * 4)


def test_a_set_that_does_not_fit_says_what_to_do(run_of, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("stylegan_v.training.loop.PreloadedVideos", full)

    with pytest.raises(TrainingError, match='with preload = "never"'):
        go(run_of(1), tmp_path)


@pytest.mark.parametrize(
    ("full", "says"),
    [
        ("loop.VideoDataset.open", "before the first step: end what else uses memory, or take a smaller model"),
        ("loop.VideoDataset.real_clips", r"while clips were read.*checkpoint\.pt.*--workers 1"),
        ("session.checkpoints.save", "before the first step"),
    ],
)
def test_too_little_memory_outside_of_steps_ends_the_run_with_advice(
    full: str, says: str, run_of, tmp_path: Path, monkeypatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(f"stylegan_v.training.{full}", fail)

    with pytest.raises(TrainingError, match=f"out of memory {says}"):
        go(run_of(1, data={"preload": "never"}), tmp_path)


def test_a_start_that_failed_leaves_the_folder_free(run_of, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="minibatch deviation"):
        go(run_of(1, train={"batch": 5}), tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("videos", ["absent", "empty", "large"])
def test_nothing_is_written_before_the_videos_were_found_usable(
    run_of, tmp_path: Path, write_frames, moving_frames, videos: str
) -> None:
    (tmp_path / "empty").mkdir()
    write_frames(tmp_path / "large" / "0", moving_frames(9, height=48, width=48))

    with pytest.raises(FvdBenchError, match=videos):
        go(run_of(1, data={"path": str(tmp_path / videos)}), tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_told_of_before_the_videos_are_read(run_of, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=f"{tmp_path / 'file'} is no folder"):
        go(run_of(1, data={"path": "absent"}), tmp_path / "file" / "run")


@pytest.mark.parametrize("out", ["", "runs/first"])
def test_a_run_does_not_lie_among_its_videos(run_of, tmp_path: Path, out: str) -> None:
    """Its samples are films, and would be scored against as real ones."""
    with pytest.raises(ConfigError, match="where samples of the run would count among the real videos"):
        go(run_of(1, data={"path": str(tmp_path)}), tmp_path / out)


def test_the_pace_is_told_after_each_step(run_of, tmp_path: Path, capsys, monkeypatch) -> None:
    paces: list[Pace] = []
    took: list[float] = []
    rehearse = trainer.StyleTrainer.rehearse

    def measured(of: trainer.StyleTrainer) -> float | None:
        took.append(rehearse(of) or 0.0)
        return took[-1]

    monkeypatch.setattr(trainer.StyleTrainer, "rehearse", measured)
    train(run_of(3), tmp_path, device="cpu", workers=1, minutes=None, progress=silent, told=paces.append)

    assert [(pace.frames, pace.total) for pace in paces] == [(12, 36), (24, 36), (36, 36)]
    assert paces[0].seconds_left is None
    assert paces[1].seconds_left == pytest.approx(paces[1].seconds_per_kimg * STEP_KIMG)
    assert paces[2].seconds_left == 0
    errors = capsys.readouterr().err
    assert "36 frames to train on, in 3 steps, on cpu\n" in errors
    kimg = in_seconds(1000 * took[0] / 12)
    assert took[0] > 0 and f"about {kimg} s for 1,000 frames here, {duration(3 * took[0])} for all\n" in errors


@pytest.mark.slow  # two processes train above, and those of the toolkit end together in test_torchrun.py
def test_a_failure_of_one_process_ends_all(run_of, tmp_path: Path) -> None:
    report = {"fvd_kimg": 1000.0, "protocol": "stylegan-v-fvd61"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "stylegan_v"]
    training = command(run_of(1, report=report), tmp_path / "run")[2:]

    done = Program(*torchrun, *training, env=ENVIRONMENT).end()

    assert done.returncode != 0
    assert done.stderr.count("'stylegan-v-fvd61'") == 1, done.stderr


def test_a_generator_alone_is_no_training_to_go_on_with(run_of, tmp_path: Path) -> None:
    go(run_of(1), tmp_path)
    checkpoints.save(checkpoints.load(tmp_path / "checkpoint.pt").for_sampling(), tmp_path / "checkpoint.pt")

    with pytest.raises(CheckpointError, match="holds a generator to sample from, not the state of a training"):
        go(run_of(2), tmp_path)


def test_the_run_says_which_precision_auto_is(run_of, tmp_path: Path) -> None:
    go(run_of(1), tmp_path)

    file = tmp_path / "run.toml"
    assert load_run(str(file), {}).train.precision == "float32"
    for said, device, meant in (("auto", "cuda", "float16"), ("bfloat16", "cpu", "bfloat16")):
        assert loop._precision(run_of(1, train={"precision": said}), torch.device(device)) == meant
    file.write_text(file.read_text().replace('"float32"', '"auto"'))  # as older versions wrote it
    go(run_of(2), tmp_path)


def test_a_single_loss_that_is_not_finite_ends_nothing(run_of, tmp_path: Path, monkeypatch) -> None:
    """Its gradients are mended, see `_apply`; the log leaves it out."""
    losses, loss = iter([math.inf, 1.0, 1.0, 1.0]), trainer.generator_loss
    monkeypatch.setattr(trainer, "generator_loss", lambda fake: loss(fake) * next(losses))

    go(run_of(4, report={"tick_kimg": 2 * STEP_KIMG}), tmp_path)

    assert [math.isfinite(line["loss/generator"]) for line in lines(tmp_path)] == [True, True]


def test_a_folder_belongs_to_its_run(run_of, tmp_path: Path, toy_videos: Path, capsys) -> None:
    go(run_of(1), tmp_path / "run")
    shutil.copytree(toy_videos, tmp_path / "moved")

    go(run_of(1, data={"path": str(tmp_path / "moved")}), tmp_path / "run")
    assert f"was trained on {toy_videos} and goes on with {tmp_path}/moved: where these" in capsys.readouterr().err
    go(run_of(1, data={"path": f"{tmp_path}/./moved/"}), tmp_path / "run")
    assert "was trained on" not in capsys.readouterr().err

    with pytest.raises(ConfigError, match=r"train\.seed = 0, now it is 9"):
        go(run_of(1, train={"seed": 9}), tmp_path / "run")


def test_frame_folders_need_neither_a_decoder_nor_torch_fidelity(run_of, tmp_path: Path, pixels_protocol) -> None:
    report = {"fvd_kimg": 2 * STEP_KIMG, "fvd_videos": 4, "protocol": pixels_protocol(frames=9)}
    absent = {"av", "torch_fidelity", "torchvision", "pandas", "pypi_simple", "requests", "tensorboard"}
    start = f"import sys; assert not {absent} & {{*sys.modules}}; sys.modules.update(dict.fromkeys({absent})); "

    done = Program("-c", start + SHORT_FILMS, *command(run_of(2, report=report), tmp_path / "run")[2:]).end()

    assert done.returncode == 0, done.stderr
    assert lines(tmp_path / "run")[-1].keys() >= {"fvd"}
    assert {"fakes-000000024.jpg", "fakes-000000024.webp"} <= {f.name for f in (tmp_path / "run" / "samples").iterdir()}


def test_samples_are_shown(run_of, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(snapshots, "_ROWS", 4)  # as it is, but for `short_films`
    go(run_of(2), tmp_path)

    names = sorted(file.name for file in (tmp_path / "samples").iterdir())
    assert names == ["fakes-000000024.jpg", "fakes-000000024.mp4", "reals.jpg"]
    for name in ("reals.jpg", "fakes-000000024.jpg"):
        with Image.open(tmp_path / "samples" / name) as sheet:
            assert sheet.size == (8 * 32, 4 * 32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch looks at it while it compiles
def test_compiled_networks_train_alike(run_of, tmp_path: Path) -> None:
    go(run_of(2), tmp_path / "plain")
    go(run_of(2, train={"compile": True}), tmp_path / "compiled")

    assert_same(tmp_path / "plain", tmp_path / "compiled", tolerance=1e-3)
