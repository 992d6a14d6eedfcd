"""What a run says of its time: seconds of steps, and what is left."""

import itertools
from dataclasses import replace

import pytest

from stylegan_v.networks.config import model_config
from stylegan_v.training import pace
from stylegan_v.training.pace import Clock, in_seconds
from stylegan_v.training.run import ReportRun, Run, TrainRun, load_run


class Time:
    """A clock that stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch) -> Time:
    stopped = Time()
    monkeypatch.setattr(pace, "time", stopped)
    return stopped


def a_run(*, fvd_kimg: float = 0.0) -> Run:
    """A hundred steps of ten frames, every fifth of them with R1, and four snapshots."""
    train = TrainRun(kimg=1.0, batch=5, r1_interval=5)
    report = ReportRun(fvd_kimg=fvd_kimg, snapshot_kimg=0.25, tick_kimg=1.0)
    return Run(model=model_config(frames=2), train=train, report=report)


def take(clock: Clock, time: Time, seconds: float, *, r1: bool = False) -> None:
    time.now += seconds
    clock.step(r1=r1)


def test_time_is_told_from_the_second_step_on(time: Time) -> None:
    clock = Clock(a_run())
    before = clock.pace(0)
    take(clock, time, 9.0, r1=True)
    first = clock.pace(1)
    take(clock, time, 2.0)
    second = clock.pace(2)

    assert (before.frames, before.total, before.seconds_left) == (0, 1000, None)
    assert (first.frames, first.seconds_per_kimg, first.seconds_left) == (10, None, None)
    mean = 9 / 5 + 2 * 4 / 5  # every fifth step has R1
    assert (second.frames, second.seconds_per_kimg) == (20, pytest.approx(mean / 0.01))
    assert second.seconds_left == pytest.approx(98 * mean)


def test_the_first_step_counts_until_there_is_another_of_its_kind(time: Time) -> None:
    clock = Clock(a_run())
    for seconds, r1 in ((100.0, True), (2.0, False), (4.0, False), (6.0, True)):
        take(clock, time, seconds, r1=r1)

    assert clock.pace(4).seconds_left == pytest.approx(96 * (6 / 5 + 3 * 4 / 5))


def test_a_run_may_go_on_between_two_penalties(time: Time) -> None:
    clock = Clock(a_run())
    take(clock, time, 50.0)
    take(clock, time, 2.0)

    assert clock.pace(42).seconds_left == pytest.approx(58 * 2)


def test_only_recent_steps_count(time: Time) -> None:
    clock = Clock(a_run())
    for seconds in itertools.chain([9.0] * 60, [1.0] * 50):
        take(clock, time, seconds)

    assert clock.pace(10).seconds_per_kimg == pytest.approx(100)


def test_scores_and_samples_are_no_steps_and_take_their_time(time: Time) -> None:
    clock = Clock(a_run(fvd_kimg=0.5))
    take(clock, time, 1.0)
    take(clock, time, 1.0)
    unmeasured = clock.pace(2)
    for what, seconds in (("snapshot", 30.0), ("score", 700.0)):
        with clock.aside(what):
            time.now += seconds
    take(clock, time, 1.0)

    assert (unmeasured.unmeasured, unmeasured.seconds_left) == (2, pytest.approx(98))
    for steps, scores, snapshots in ((3, 2, 4), (50, 1, 2), (99, 1, 1), (100, 0, 0)):
        left = clock.pace(steps)
        assert left.unmeasured == 0
        assert left.seconds_left == pytest.approx(100 - steps + 700 * scores + 30 * snapshots)


def test_no_scores_are_to_come_in_a_stage_that_makes_none() -> None:
    sections = {"model": {"method": "videogpt", "preset": "tiny"}, "train": {"kimg": 10.0}, "report": {"fvd_kimg": 1.0}}
    run = load_run(None, sections)

    unmeasured = [Clock(replace(run, stage=stage)).pace(0).unmeasured for stage in ("vqvae", "prior")]

    assert unmeasured == [0, 5]


def test_seconds_with_two_digits_at_least() -> None:
    assert [in_seconds(seconds) for seconds in (0.5234, 6.3, 9.99, 112.7, 1130)] == [
        "0.52",
        "6.3",
        "10",
        "113",
        "1,130",
    ]
