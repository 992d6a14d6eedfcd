"""Question: what does the command of the README print?

Command:  python benchmarks/readme.py
Time:     3 minutes on 2 cores, or seconds when the features are stored already.
Expected: the block of the README below the command, which this script writes there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import write

README = Path(__file__).parents[1] / "README.md"
COLUMNS = 80
BLOCK = re.compile(r"(^```\n(fvd-bench compute .*)\n```\n\n```text\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
"""The command, and what it prints."""


def broken(signature: str) -> list[str]:
    """A signature in lines that a page can show, each of which begins with a choice."""
    lines = [""]
    for choice in re.split(r"(?=\|)", signature):
        if len(lines[-1]) + len(choice) > COLUMNS:
            lines.append("")
        lines[-1] += choice
    return lines


def main() -> None:
    text = README.read_text("utf-8")
    found = BLOCK.search(text)
    assert found, "the README has no command with its output"
    environment = {**os.environ, "COLUMNS": str(COLUMNS)}
    with tempfile.TemporaryDirectory() as folder:
        for command in ("fvd-bench demo", found[2]):
            program = [sys.executable, "-m", "fvd_bench", *shlex.split(command)[1:]]
            done = subprocess.run(program, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    *shown, signature = done.stdout.splitlines()
    README.write_text(BLOCK.sub(lambda m: m[1] + "\n".join([*shown, *broken(signature)]) + "\n" + m[4], text), "utf-8")
    write("readme", __doc__, {"command": found[2], "output": done.stdout.splitlines()})


if __name__ == "__main__":
    main()
