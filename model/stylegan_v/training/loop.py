"""The training loop: clips in, one step after another, until the end, the time limit, or an interruption."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType

import torch

from fvd_bench.escapes import escaped
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.progress import Progress
from stylegan_v.data.clips import Batch, VideoDataset, batches
from stylegan_v.data.preloaded import PreloadedVideos, fits, size
from stylegan_v.errors import TrainingError
from stylegan_v.networks.generator import half_precision
from stylegan_v.sampling.scoring import check_scoring
from stylegan_v.training import distributed
from stylegan_v.training.allocator import kept_memory
from stylegan_v.training.run import Precision, Run
from stylegan_v.training.session import Session, claim
from stylegan_v.training.trainer import Trainer


def train(run: Run, out: Path, *, device: str, workers: int, minutes: float | None, progress: Progress) -> float:
    """Train until run.train.kimg, to the nearest step, or until `minutes` have passed. Returns the kimg at the end.

    The same call goes on from there, by at least one step, however little time it is given.
    device: `cpu` or `cuda`. workers: number of threads that read videos. minutes: None for no limit.

    Raises TrainingError when numbers are not finite or memory runs out, and ConfigError when the folder holds another
    run. Raises KeyboardInterrupt after an interruption, which lets the step under way end. The checkpoint is usable in
    every case.
    """
    began = time.monotonic()
    arithmetic = training_arithmetic(tf32=run.train.tf32)
    with distributed.process_group(device) as place, _stoppable() as stop, arithmetic, kept_memory():
        run = dataclasses.replace(run, train=dataclasses.replace(run.train, precision=_precision(run, place)))
        distributed.on_first(lambda: _begin(run, out, device, progress))
        dataset = _open(run, workers, _until(stop, progress))
        with _explained_memory(lambda: "out of memory before the first step: take a smaller model"):
            session = Session(run, out, Trainer(run, dataset, place))
        clips = _batches(run, dataset, session.trainer, workers, _until(stop, progress))
        with contextlib.closing(session), contextlib.closing(clips):
            for taken, batch in enumerate(clips):
                progress("kimg", math.floor(session.trainer.kimg), math.ceil(run.train.kimg))
                late = taken > 0 and minutes is not None and time.monotonic() - began > 60 * minutes
                if session.trainer.steps >= run.total_steps or distributed.agree(late or stop.is_set()):
                    break
                with _explained_memory(lambda: _memory_advice(run, session)):
                    session.step(batch)
                with _explained_memory(lambda: _scoring_memory_advice(session)):
                    session.report()
            session.save()
        if stop.is_set():
            raise KeyboardInterrupt
        return session.trainer.kimg


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
    advice = (
        f"out of memory while all frames of the set, {size(dataset) / 2**30:.1f} GiB, were put on {trainer.device}; "
        'with preload = "never" in [data] clips are read from files'
    )
    with _explained_memory(lambda: advice):
        videos = PreloadedVideos(dataset, trainer.device, workers=workers, progress=progress)
    return videos.batches(samples, seed=seed)


def _begin(run: Run, out: Path, device: str, progress: Progress) -> None:
    """Claim the folder and check scoring. This runs in one process, before any long work."""
    claim(out, run)
    if run.report.fvd_kimg:
        check_scoring(
            run.data.path, protocol=run.report.protocol, device=device, features=out / "features", progress=progress
        )


def _until(stop: threading.Event, progress: Progress) -> Progress:
    """Make a Progress that interrupts the work that reports to it when it should stop."""

    def show(what: str, done: int, total: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        progress(what, done, total)

    return show


def _open(run: Run, workers: int, progress: Progress) -> VideoDataset:
    """Open the data of a run. What is wrong with it goes to stderr."""
    model = run.model
    dataset = VideoDataset.open(
        run.data.path,
        resolution=model.resolution,
        frames=model.frames,
        max_frames=model.max_frames,
        max_span=model.max_span,
        spans=model.spans,
        mirror=run.data.mirror,
        num_classes=model.num_classes,
        workers=workers,
        progress=progress,
    )
    if distributed.rank() == 0:
        reasons = [f"{name} is left out: {reason}" for name, reason in dataset.skipped]
        for note in (*dataset.notes, *reasons):
            print(f"stylegan-v: warning: {escaped(note)}", file=sys.stderr)
        videos, frames = len(dataset.names), sum(dataset.lengths)
        print(f"stylegan-v: {videos} videos, {frames} frames, {len(dataset.skipped)} left out", file=sys.stderr)
    return dataset


@contextlib.contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Set the event at the first SIGINT or SIGTERM. A second SIGINT interrupts at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _explained_memory(advice: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TrainingError(advice()) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # the message of the CPU's allocator
            raise
        raise TrainingError(advice()) from error


def _memory_advice(run: Run, session: Session) -> str:
    share = session.trainer.share
    videos = run.train.micro_batch or share
    group = min(run.model.std_group, run.train.batch)
    fewer = [n for n in range(group, videos, group) if share % n == 0]
    advice = (
        f"With --micro-batch {fewer[-1]} a step takes less memory and does the same"
        if fewer
        else "Fewer do not make a group of the minibatch deviation: take a smaller model, or more processes"
    )
    return (
        f"out of memory with {videos} videos of {run.model.frames} frames at a time; training can go on from "
        f"{session.checkpoint}. {advice}"
    )


def _scoring_memory_advice(session: Session) -> str:
    return (
        "out of memory while samples or scores were made of what has been trained; training can go on from "
        f"{session.checkpoint}, with --fvd-kimg 0 without scores"
    )


def _precision(run: Run, device: torch.device) -> Precision:
    """Return what `auto` stands for on this device. The run's file records it, since the outcome depends on it."""
    half = half_precision(run.train.precision, device)
    return "float32" if half is None else "float16" if half is torch.float16 else "bfloat16"
