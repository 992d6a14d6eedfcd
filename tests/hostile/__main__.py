"""Question: what does fvd-bench do with files that are damaged, absurd, or meant to do harm?

Command:  python -m tests.hostile [--keep FOLDER] [--json FILE]   (from the root of the repository)
Time:     a few minutes on 2 cores.
Expected: of every file a message or a score that accounts for all videos; no traceback, no code run, no hang, memory
          bounded. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.hostile import corpus, runner


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path, help="an empty folder to leave the corpus in")
    parser.add_argument("--json", type=Path, help="where to write the counts")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        root = chosen.keep or Path(folder) / "corpus"
        good, cases = corpus.write(root)
        print(f"{len(cases)} files", file=sys.stderr)
        outcomes = runner.run(good, cases)
    forms = Counter(outcome.case.form for outcome in outcomes)
    bad = [outcome for outcome in outcomes if outcome.problems]
    for outcome in bad:
        print(f"{outcome.case.name}: {'; '.join(outcome.problems)}")
    counts = {
        "files": len(outcomes),
        "forms": dict(forms),
        "refused": sum(outcome.code in (3, 4) for outcome in outcomes),
        "scored": sum(outcome.code == 0 for outcome in outcomes),
        "problems": len(bad),
        "most_seconds": round(max(outcome.seconds for outcome in outcomes), 1),
        "most_mib": round(max(outcome.mib for outcome in outcomes)),
    }
    print(json.dumps(counts, indent=1))
    if chosen.json:
        chosen.json.write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
