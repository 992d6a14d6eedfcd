"""The training loop: clips in, one step after another, until the end, the time limit, or an interruption."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import torch

from fvd_bench.escapes import escaped
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.progress import Progress
from fvd_bench.words import counted, duration
from stylegan_v import distributed
from stylegan_v.checkpoints import checkpoint as checkpoints
from stylegan_v.checkpoints.files import LAST
from stylegan_v.data.clips import Batch, VideoDataset, batches, longer_videos
from stylegan_v.data.preloaded import PreloadedVideos, fits
from stylegan_v.errors import ConfigError, DataError
from stylegan_v.memory import check_memory, frame_bytes
from stylegan_v.methods.settings import Precision
from stylegan_v.methods.trainer import Trainer
from stylegan_v.networks.generator import half_precision
from stylegan_v.sampling.scoring import check_generated, check_scoring
from stylegan_v.training import memory_advice, run_folder
from stylegan_v.training.allocator import kept_memory
from stylegan_v.training.memory_advice import explained_memory
from stylegan_v.training.pace import Pace, in_seconds
from stylegan_v.training.run import Run
from stylegan_v.training.session import Session, stage_of
from stylegan_v.training.stopping import stoppable


def train(
    run: Run,
    out: Path,
    *,
    device: str,
    workers: int,
    minutes: float | None,
    progress: Progress,
    stage: str | None = None,
    begin: checkpoints.Checkpoint | None = None,
    told: Callable[[Pace], None] = lambda pace: None,
) -> float:
    """Train until run.train.kimg, to the nearest step, or until `minutes` have passed. Returns the kimg at the end.

    The same call goes on from there, by at least one step, however little time it is given. Nothing is written before
    the videos were found usable.
    device: `cpu` or `cuda`. workers: number of threads that read videos. minutes: None for no limit.
    stage: the one to train alone, of a method that has several; None for all, one after the other.
    begin: a checkpoint whose networks are the first state of the run, see `Trainer.begin_with`; of no account where the
    run goes on.
    told: called after each step with the pace of the run.

    Raises TrainingError when numbers are not finite or memory runs out, ConfigError when the folder holds another run,
    and CheckpointError when what it goes on from, or begins with, is of another model. Raises KeyboardInterrupt after
    an interruption, which lets the step under way end. The checkpoint is usable in every case.
    """
    began = time.monotonic()
    arithmetic = training_arithmetic(tf32=run.train.tf32)
    answer = _Answer()
    with distributed.process_group(device) as place, stoppable(answer) as stop, arithmetic, kept_memory():
        run = dataclasses.replace(run, train=dataclasses.replace(run.train, precision=_precision(run, place)))
        distributed.on_first(lambda: run_folder.check(out, run))
        if distributed.rank() == 0 and (before := run_folder.other_data(out, run)):
            _say(
                f"warning: {out} was trained on {escaped(before)} and goes on with {escaped(run.data.path)}: where "
                "these are other videos, scores of before and after do not compare"
            )
        steps = 0

        def ends() -> bool:
            nonlocal steps
            late = steps > 0 and minutes is not None and time.monotonic() - began > 60 * minutes
            steps += 1
            return distributed.agree(late or stop.is_set())

        stages = _stages(run, out, stage)
        for number, name in enumerate(stages, start=1):
            of_stage, show, later = dataclasses.replace(run, stage=name), _until(stop, progress), stages[number:]
            with contextlib.ExitStack() as held:
                kimg, ended = _train_stage(of_stage, out, place, answer, workers, show, ends, told, held, begin, later)
            if stop.is_set():
                raise KeyboardInterrupt
            if ended:
                break
        return kimg


def _stages(run: Run, out: Path, wanted: str | None) -> list[str]:
    """Return the stages to go through: from the one that the folder holds on, or the wanted one. Raises ConfigError."""
    stages = [stage.name for stage in run.method.stages()]
    if wanted is not None:
        run.method.stage(wanted)
    if len(stages) == 1:
        return stages
    held, began = stages[0], (out / LAST).exists()
    if began:
        held = stage_of(checkpoints.load(out / LAST).state or {}) or held
    if wanted is None:
        return stages[stages.index(held) :]
    if not 0 <= stages.index(wanted) - stages.index(held) <= began:
        raise ConfigError(
            f"{out} {'is at' if began else 'begins with'} stage {held} of {', '.join(stages)}: stage {wanted} cannot "
            "be trained now; train those between first, or name another --out"
        )
    return [wanted]


def _train_stage(
    run: Run,
    out: Path,
    place: torch.device,
    answer: _Answer,
    workers: int,
    progress: Progress,
    ends: Callable[[], bool],
    told: Callable[[Pace], None],
    held: contextlib.ExitStack,
    begin: checkpoints.Checkpoint | None,
    later: Sequence[str],
) -> tuple[float, bool]:
    """Train a stage. Returns the kimg at the end, and whether it ended early.

    ends: whether to end before a step. held: what keeps other processes out of the folder from when that is there.
    later: the stages that are trained after this one.
    """
    clip_bytes = run.frames * frame_bytes(run.model.resolution)
    check_memory(f"batch = {run.train.batch}", run.train.batch // distributed.world() * clip_bytes)
    with explained_memory(memory_advice.before_training):
        dataset = _open(run, workers, progress)
        if not distributed.is_alike(dataset.digest()):
            raise DataError(
                f"{run.data.path}: the processes of this run see other videos there, and each reads a share of every "
                "batch: give all of them the same files"
            )
        _check_lengths(run, dataset, later)
        distributed.on_first(lambda: _check_scoring(run, place.type, progress))
        trainer = run.method.stage(run.stage).trainer(run, dataset, place)
        if begin is not None and not (out / LAST).exists():
            trainer.begin_with({part: begin.part(part) for part in begin.parts})
        if run.report.fvd_kimg:
            check_generated(trainer.ema, videos=run.report.fvd_videos, protocol=run.report.protocol)
        distributed.on_first(lambda: held.enter_context(run_folder.claimed(out, run)))
        session = Session(run, out, trainer, progress=progress)
        _foretell(session)
    clips = _batches(run, dataset, trainer, workers, progress)
    answer.under_way = "the step under way is done and saved, or the score under way is left for when the run goes on"
    ended = False
    between = explained_memory(lambda: memory_advice.between_steps(session))
    with contextlib.closing(session), contextlib.closing(clips), between:
        with explained_memory(lambda: memory_advice.in_report(session)):
            session.make_up()
        session.start()
        for batch in clips:
            if trainer.steps >= run.total_steps:
                break
            if ends():
                ended = True
                break
            with explained_memory(lambda: memory_advice.in_step(run, session)):
                session.step(batch)
            told(session.clock.pace(trainer.steps))
            with explained_memory(lambda: memory_advice.in_report(session)):
                session.report()
        session.save()
    return trainer.kimg, ended


class _Answer:
    """What is said to an interruption. under_way: what ends before the run does."""

    under_way = "the video under way is read"

    def __call__(self, first: bool) -> None:
        """first: whether nothing interrupted the run before."""
        if distributed.rank() == 0:
            once = f"interrupted: ends as soon as {self.under_way}; Ctrl-C again does not wait for that, and loses it"
            _say(once if first else "interrupted again: ends now")


def _foretell(session: Session) -> None:
    """Say how much there is to do, and on a CPU, where it may be years, about how long that takes."""
    run, trainer = session.run, session.trainer
    steps, frames = run.total_steps - trainer.steps, run.train.batch * run.frames
    if distributed.rank() != 0 or steps == 0:
        return
    stage = f" in stage {run.stage}" if run.stage else ""
    if steps < 0:
        _say(
            f"{trainer.steps * frames:,} frames were trained on before{stage}, more than the "
            f"{run.total_steps * frames:,} of kimg = {run.train.kimg:g}: nothing is left to train{stage}"
        )
        return
    _say(
        f"{steps * frames:,} frames to train on{stage}, in {counted(steps, 'step', form=',')}, on {trainer.device.type}"
    )
    seconds = None
    if trainer.device.type == "cpu" and not run.train.compile:  # which would be compiled for the size of the rehearsal
        seconds = trainer.rehearse()
    if seconds is not None:
        scores = session.clock.pace(trainer.steps).unmeasured
        besides = f", and {counted(scores, 'score')} besides" if scores else ""
        pace = in_seconds(1000 * seconds / frames)
        _say(f"about {pace} s for 1,000 frames here, {duration(seconds * steps)} for all{besides}")
    _say("--kimg sets the end; --minutes and Ctrl-C stop before it, and the same command goes on")


def _say(text: str) -> None:
    print(f"stylegan-v: {text}", file=sys.stderr, flush=True)


def training_arithmetic(*, tf32: bool = False) -> contextlib.AbstractContextManager[None]:
    """Use the fastest convolution algorithms on a GPU, and TF32 for products of float32 only if asked for."""
    return float32_arithmetic("tf32" if tf32 else "float32", repeatable=False)


def _batches(
    run: Run, dataset: VideoDataset, trainer: Trainer, workers: int, progress: Progress
) -> Generator[Batch, None, None]:
    """Return real clips, from memory if all frames are kept there, or from files. Raises DataError, TrainingError."""
    seed, samples = run.train.seed, trainer.samples()
    if run.data.preload == "never" or (run.data.preload == "auto" and not fits(dataset, trainer.device)):
        return batches(dataset, samples, seed=seed, workers=workers)
    with explained_memory(lambda: memory_advice.in_preloading(dataset, trainer.device)):
        videos = PreloadedVideos(dataset, trainer.device, workers=workers, progress=progress)
    return videos.batches(samples, seed=seed)


def _check_scoring(run: Run, device: str, progress: Progress) -> None:
    """Check that what is trained can be scored. This runs in one process, before any long work."""
    if run.report.fvd_kimg:
        check_scoring(run.data.path, protocol=run.report.protocol, device=device, progress=progress)


def _until(stop: threading.Event, progress: Progress) -> Progress:
    """Make a Progress that interrupts the work that reports to it when it should stop."""

    def show(what: str, done: int, total: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        progress(what, done, total)

    return show


def _open(run: Run, workers: int, progress: Progress) -> VideoDataset:
    """Open the data of a run. What is wrong with it goes to stderr."""
    dataset = VideoDataset.open(
        run.data.path,
        resolution=run.model.resolution,
        **dataclasses.asdict(run.method.stage(run.stage).trainer.clips(run.model)),
        mirror=run.data.mirror,
        num_classes=run.model.num_classes,
        workers=workers,
        progress=progress,
    )
    if distributed.rank() == 0:
        reasons = [f"{name} is left out: {reason}" for name, reason in dataset.skipped]
        for note in (*dataset.notes, *reasons):
            _say(f"warning: {escaped(note)}")
        videos, frames = counted(len(dataset.names), "video", form=","), sum(dataset.lengths)
        _say(f"{videos} with {counted(frames, 'frame', form=',')}, {len(dataset.skipped)} left out")
    return dataset


def _check_lengths(run: Run, dataset: VideoDataset, stages: Sequence[str]) -> None:
    """Raise DataError where later stages, which may be days away, could train on no video."""
    longest = max(dataset.lengths)
    for name in stages:
        needed = run.method.stage(name).trainer.clips(run.model).needed
        if longest < needed:
            raise DataError(
                f"{run.data.path}: none of {counted(len(dataset.names), 'video')} can be used in stage {name}, since "
                f"the longest has {counted(longest, 'frame')} and a clip needs {needed}: {longer_videos(needed)}"
            )


def _precision(run: Run, device: torch.device) -> Precision:
    """Return what `auto` stands for on this device. The run's file records it, since the outcome depends on it."""
    if "precision" in run.method.unused:
        return run.train.precision
    half = half_precision(run.train.precision, device)
    return "float32" if half is None else "float16" if half is torch.float16 else "bfloat16"
