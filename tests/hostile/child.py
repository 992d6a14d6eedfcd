"""Runs command lines one after another in one process: python -m tests.hostile.child.

Reads a JSON list of arguments per line from stdin, and answers each with one line of JSON on the stdout that it was
started with: exit code, what was written to stdout and stderr, seconds, and the most memory that was in use.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch

import fvd_bench.evaluation.evaluation  # noqa: F401, so that no case is charged for importing it
from fvd_bench.cli import main

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _peak_mib() -> float:
    """Most memory in use since `_forget_peak`."""
    found = re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())
    assert found
    return int(found[1]) / 1024


def _forget_peak() -> None:
    _CLEAR.write_text("5")


def _run(arguments: list[str]) -> dict[str, object]:
    sys.argv = ["fvd-bench", *arguments]
    _forget_peak()
    before, started, code = _peak_mib(), time.monotonic(), 0
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "backslashreplace"))
    seconds, peak = time.monotonic() - started, _peak_mib() - before
    return {"code": code, "stdout": texts[0], "stderr": texts[1], "seconds": seconds, "mib": peak}


if __name__ == "__main__":
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        answers.write(json.dumps(_run(json.loads(line))) + "\n")
        answers.flush()
