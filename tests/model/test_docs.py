"""The documentation of the model points at lines that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\| \[\w+\.py\]\((?P<file>[^)]+)\) \| `(?P<line>.+)` \|$", re.MULTILINE)


def test_every_line_that_the_paper_is_mapped_to_exists_once() -> None:
    rows = ROW.findall((ROOT / "docs" / "model.md").read_text("utf-8"))
    found = {line: (ROOT / "docs" / file).read_text("utf-8").count(line) for file, line in rows}

    assert len(rows) >= 19
    assert {line: n for line, n in found.items() if n != 1} == {}
