"""What a training shows of its pace: a bar on a terminal, a line now and then in a log, nothing in other processes."""

from __future__ import annotations

import io
import re
import sys
import time

import click
import pytest

from fvd_bench.cli.streams import be_quiet
from stylegan_v.cli import cli, progress
from stylegan_v.cli.progress import training_progress
from stylegan_v.training.pace import Pace

FIRST = Pace(frames=24, total=100_008, seconds_per_kimg=None, seconds_left=None, unmeasured=5)
SECOND = Pace(frames=48, total=100_008, seconds_per_kimg=112.87, seconds_left=11_283.0, unmeasured=5)
SCORED = Pace(frames=50_016, total=100_008, seconds_per_kimg=90.0, seconds_left=4500.0, unmeasured=0)
LONG = Pace(frames=24_999_936, total=25_000_128, seconds_per_kimg=1130.0, seconds_left=171_000.0, unmeasured=0)

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def become_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture, since pytest puts its own stderr in place between fixtures and the test."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_a_terminal_shows_frames_their_time_and_what_is_left(monkeypatch) -> None:
    terminal, shown = become_terminal(monkeypatch), []
    with training_progress() as (show, told):
        show("videos looked at", 3, 6)
        show("videos looked at", 6, 6)
        for pace in (FIRST, SECOND, SCORED, LONG):
            told(pace)
            time.sleep(0.25)  # it is drawn ten times a second
            shown.append(
                [line for line in ESCAPES.sub("", terminal.getvalue()).split("\r") if line.strip()][-1].strip()
            )

    assert [line.partition("━")[0].rstrip(" ╸╺") for line in shown] == [
        "training 24 of 100,008 frames",
        "training 48 of 100,008 frames, 113 s/1,000, over 3 h 08 min left",
        "training 50,016 of 100,008 frames, 90 s/1,000, about 75 minutes left",
        "training 24,999,936 of 25,000,128 frames, 1,130 s/1,000, about 47 h 30 min left",
    ]
    assert max(map(len, shown)) <= 80


def test_a_log_has_a_line_at_the_second_step_and_then_now_and_then(monkeypatch, capsys) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with training_progress() as (_, told):
        for seconds, pace in ((0.0, FIRST), (5.0, SECOND), (50.0, SECOND), (70.0, SCORED)):
            now[0] = seconds
            told(pace)

    assert capsys.readouterr().err.splitlines() == [
        "training: 48 of 100,008 frames, 113 s/1,000, over 3 h 08 min left",
        "training: 50,016 of 100,008 frames, 90 s/1,000, about 75 minutes left",
    ]


def test_a_quiet_command_shows_nothing(monkeypatch) -> None:
    """As that of another process than the first one is."""
    terminal = become_terminal(monkeypatch)
    with click.Context(cli):
        be_quiet()
        with training_progress() as (show, told):
            show("videos looked at", 3, 6)
            told(SECOND)

    assert terminal.getvalue() == ""
