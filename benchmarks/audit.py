"""Question: what do metrics on features of I3D see of real faces whose frames or motion are distorted?

Command:  python benchmarks/audit.py DATA            (DATA: a folder with train/, see benchmarks/README.md)
Time:     about 15 minutes on a core that others use too; seconds when the features are stored already.
Expected: frames that are bent each by itself score worse than frames that are bent all alike, although single frames
          are equally bad; motion that is reversed hardly scores worse than nothing.

It also draws docs/audit.svg.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from machine import write

from fvd_bench.evaluation.studies.audit import audit
from fvd_bench.reports.audit import draw
from fvd_bench.settings import Settings

VIDEOS = 16

PICTURE = Path(__file__).parents[1] / "docs" / "audit.svg"


def main(data: Path) -> None:
    every = sorted(str(folder) for folder in (data / "train" / "grid_faces_128").iterdir() if folder.is_dir())
    chosen = [every[place * len(every) // VIDEOS] for place in range(VIDEOS)]
    done = audit(chosen, settings=Settings(workers=1))
    found = json.loads(done.to_json())
    write("audit", __doc__, {key: found[key] for key in ("real", "seed", "ladder", "sensitivities", "seconds")})
    PICTURE.write_bytes(draw(done, ".svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
