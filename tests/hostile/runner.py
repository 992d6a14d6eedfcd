"""Feeds the corpus to the command line, and says of each case what went wrong, if anything did."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hostile.case import PROTOCOL, REAL, REPLAY, RESULT, SIDE, Case, Good

MOST_SECONDS = 60.0
MOST_MIB = 600.0
"""More than the healthy sides take; a bomb of the corpus would take gigabytes."""

_EXITS = {"refused": (3,), "skipped": (0,), "used-or-skipped": (0,), "used-or-refused": (0, 3, 4)}


@dataclass(frozen=True)
class Outcome:
    """problems: sentences; none if all is well. code: None where the process hung or died."""

    case: Case
    code: int | None
    problems: tuple[str, ...]
    seconds: float = 0.0
    mib: float = 0.0
    message: str = ""


class Child:
    """A process that runs command lines; a new one is started when it hangs or dies."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[str] | None = None

    def ask(self, arguments: Sequence[str]) -> dict[str, Any] | None:
        """What came of a command line, None if it hung or the process died."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.child"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
                env={**os.environ, "FVD_BENCH_HOME": str(self._root / "home")},  # where copies of addresses go
            )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        timer = threading.Timer(2 * MOST_SECONDS, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            self.close()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


def run(good: Good, cases: Sequence[Case], *, children: int = 2, done: Callable[[int], None] = lambda n: None
        ) -> list[Outcome]:  # fmt: skip
    """The outcome of each case."""
    waiting: queue.SimpleQueue[tuple[int, Case]] = queue.SimpleQueue()
    for item in enumerate(cases):
        waiting.put(item)
    outcomes: dict[int, Outcome] = {}

    def work() -> None:
        child = Child(good.root)
        while True:
            try:
                place, case = waiting.get_nowait()
            except queue.Empty:
                break
            outcomes[place] = _outcome(good, case, child)
            done(len(outcomes))
        child.close()

    threads = [threading.Thread(target=work) for _ in range(children)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[place] for place in range(len(cases))]


def arguments(good: Good, case: Case) -> list[str]:
    """The command line that a case is fed to."""
    if case.option == RESULT:
        return ["compare", case.path, *case.more]
    sides = {REAL: str(good.root / "real"), SIDE: str(good.frames)}
    sides |= {case.option: case.path}
    protocol = [] if "--protocol" in case.more else [PROTOCOL, str(good.root / "pixels.toml")]
    if case.option in (PROTOCOL, REPLAY):
        protocol = []
    options = [text for pair in sides.items() for text in pair]
    return ["compute", *options, *protocol, *case.more, "--no-cache", "--workers", "2", "--json", "-"]


def _outcome(good: Good, case: Case, child: Child) -> Outcome:
    answer = child.ask(arguments(good, case))
    if answer is None:
        return Outcome(case, None, ("the process hung or died",))
    problems = list(_problems(good, case, answer))
    last = (answer["stderr"].strip().splitlines() or [""])[-1]
    return Outcome(case, answer["code"], tuple(problems), answer["seconds"], answer["mib"], last)


def _problems(good: Good, case: Case, answer: dict[str, Any]) -> Iterable[str]:
    if good.sentinel.exists():
        good.sentinel.unlink()
        yield "code was run"
    if "Traceback" in answer["stderr"] or "Traceback" in answer["stdout"]:
        yield f"a traceback: {answer['stderr'].strip().splitlines()[-1]}"
    if "\x1b" in answer["stderr"] + answer["stdout"]:
        yield "a terminal would obey what is shown"
    if answer["code"] not in _EXITS[case.expected]:
        yield f"exit code {answer['code']}, not one of {_EXITS[case.expected]}: {answer['stderr'].strip()[-300:]}"
    if answer["code"] != 0 and "fvd-bench: error: " not in answer["stderr"]:
        yield "no message"
    if answer["seconds"] > MOST_SECONDS:
        yield f"{answer['seconds']:.0f} seconds"
    if answer["mib"] > MOST_MIB:
        yield f"{answer['mib']:.0f} MiB"
    if answer["code"] == 0 and case.option in (SIDE, REAL):
        yield from _losses(case, json.loads(answer["stdout"]))


def _losses(case: Case, result: dict[str, Any]) -> Iterable[str]:
    """Videos that are neither used nor named, and bad ones that were used."""
    for side in ("real", "fake"):
        score = result["scores"][0][side]
        if score["clips"] + len(score["skipped"]) != result[side]["videos"]:
            yield f"{result[side]['videos']} {side} videos, {score['clips']} used, {len(score['skipped'])} named"
    named = [skipped["video"] for skipped in result["scores"][0]["fake"]["skipped"]]
    if case.expected == "skipped" and not any(Path(name).stem == "bad" for name in named):
        yield f"the bad video is used; skipped are {named}"
