"""What to do where memory runs out: one sentence for each part of a training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from fvd_bench.errors import is_out_of_memory
from fvd_bench.words import counted
from stylegan_v.data.clips import VideoDataset
from stylegan_v.data.preloaded import size
from stylegan_v.errors import TrainingError
from stylegan_v.training.run import Run
from stylegan_v.training.session import Session

_END_OTHERS = "end what else uses memory"


@contextlib.contextmanager
def explained_memory(advice: Callable[[], str]) -> Iterator[None]:
    """Raise TrainingError with this advice in the place of an error that says that memory ran out."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(advice()) from error


def before_training() -> str:
    """Advise where not even the networks fit."""
    return f"out of memory before the first step: {_END_OTHERS}, or take a smaller model"


def in_preloading(dataset: VideoDataset, device: torch.device) -> str:
    """Advise where the frames of the set do not fit."""
    return (
        f"out of memory while all frames of the set, {size(dataset) / 2**30:.1f} GiB, were put on {device}; "
        'with preload = "never" in [data] clips are read from files'
    )


def in_step(run: Run, session: Session) -> str:
    """Advise where a step needs too much."""
    share = session.trainer.share
    videos = run.train.micro_batch or share
    group = session.trainer.group(run)
    fewer = [n for n in range(group, videos, group) if share % n == 0]
    if "micro_batch" in run.method.unused:
        advice = "Take fewer with --batch in a new run, a smaller model, or more processes"
    elif fewer:
        advice = f"With --micro-batch {fewer[-1]} a step takes less memory and does the same"
    else:
        advice = "Fewer do not make a group of the minibatch deviation: take a smaller model, or more processes"
    return (
        f"out of memory with {counted(videos, 'video')} of {counted(run.frames, 'frame')} at a time; training can go "
        f"on from {session.checkpoint}. {advice}"
    )


def between_steps(session: Session) -> str:
    """Advise where clips or the file of the state need too much."""
    return (
        "out of memory while clips were read, or the state was saved; training can go on from "
        f"{session.checkpoint}: {_END_OTHERS}, or read fewer clips ahead with --workers 1"
    )


def in_report(session: Session) -> str:
    """Advise where samples or scores need too much."""
    return (
        "out of memory while samples or scores were made of what has been trained; training can go on from "
        f"{session.checkpoint}, with --fvd-kimg 0 without scores"
    )
