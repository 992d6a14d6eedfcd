"""The pace of a run: how long its steps take on this machine, and how much time the rest of it needs."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stylegan_v.training.run import Run

_RECENT = 50
"""Number of steps of either kind whose mean is the pace. A machine may get busier, or less busy."""

Aside = Literal["score", "snapshot"]
"""What interrupts the steps of a run, and takes time of its own."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a run stands, in the stage that is trained where its method has several.

    frames: real frames seen so far. total: frames in all.
    seconds_per_kimg: seconds of the steps for a thousand frames, None before two steps are done.
    seconds_left: seconds until the end, with scores and samples as long as the last ones took; None before two steps.
    unmeasured: number of scores to come that `seconds_left` leaves out, since none has been made yet.
    """

    frames: int
    total: int
    seconds_per_kimg: float | None
    seconds_left: float | None
    unmeasured: int


class Clock:
    """Measures steps as they are taken, those with R1 and those without apart.

    The first step also pays for what is done once, so it counts only as long as there is no other of its kind.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._steps: dict[bool, deque[float]] = {r1: deque(maxlen=_RECENT) for r1 in (False, True)}
        self._first: tuple[bool, float] | None = None
        self._asides: dict[Aside, float] = {}
        self._since = time.monotonic()

    def step(self, *, r1: bool) -> None:
        """Take the time since the last step, without what was aside, as that of a step."""
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        if self._first is None:
            self._first = (r1, seconds)
        else:
            self._steps[r1].append(seconds)

    @contextlib.contextmanager
    def aside(self, what: Aside) -> Iterator[None]:
        """Leave the time of a block out of the steps, and remember it as that of a score or of a snapshot."""
        began = time.monotonic()
        yield
        self._asides[what] = time.monotonic() - began
        self._since += self._asides[what]

    def pace(self, steps: int) -> Pace:
        """Return where the run stands after this number of steps, counted from the beginning of its stage."""
        run, report = self._run, self._run.report
        per_step, left = self._seconds_per_step(), None
        scored = run.method.stage(run.stage).trainer.shows
        to_come = {
            "snapshot": _times(run, report.snapshot_kimg, steps),
            "score": _times(run, report.fvd_kimg, steps) if scored else 0,
        }
        if per_step is not None:
            asides = sum(seconds * to_come[what] for what, seconds in self._asides.items())
            left = max(0, run.total_steps - steps) * per_step + asides
        frames = run.train.batch * run.frames
        return Pace(
            frames=steps * frames,
            total=run.total_steps * frames,
            seconds_per_kimg=None if per_step is None else per_step / run.kimg_per_step,
            seconds_left=left,
            unmeasured=0 if "score" in self._asides else to_come["score"],
        )

    def _seconds_per_step(self) -> float | None:
        """Return the mean over steps with R1 and without, as often as each is taken. None before two steps."""
        if self._first is None or not any(self._steps.values()):
            return None
        first_kind, first = self._first
        means = {r1: sum(times) / len(times) for r1, times in self._steps.items() if times}
        means.setdefault(first_kind, first)
        plain, with_r1 = means.get(False, means.get(True)), means.get(True, means.get(False))
        assert plain is not None and with_r1 is not None
        share = 1 / self._run.train.r1_interval
        return share * with_r1 + (1 - share) * plain


def _times(run: Run, kimg: float, steps: int) -> int:
    """Return how often something that is due every `kimg` thousand frames, 0 for never, is due after so many steps."""
    every = run.steps_in(kimg)
    return max(0, run.total_steps // every - steps // every) if kimg else 0


def in_seconds(seconds: float) -> str:
    """Return a number of seconds with two digits at least: 0.52, 6.3, 113, 1,130."""
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}"
