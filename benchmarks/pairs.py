"""Question: what do pairs of real video sets score that should be close, shifted, and far apart?

Command:  python benchmarks/pairs.py DATA            (DATA: a folder with dev/ and train/, see benchmarks/README.md)
Time:     about 18 minutes on 2 cores; seconds when the features are stored already.
Expected: the alike pair (two halves of one speaker's videos) far below the mixture (other speakers, other codec), which
          is far below the far pair (sign language against faces).
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from machine import write

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.words import span

REPEATS = 5


def halves(faces: Path, folder: Path) -> tuple[Path, Path]:
    """Two disjoint sets of 100 of the s1 speaker's videos, split by a hash of the name."""
    names = sorted((f.name for f in faces.glob("s1_*.mp4")), key=lambda name: hashlib.sha256(name.encode()).digest())
    for half, chosen in (("a", names[:100]), ("b", names[100:])):
        (folder / half).mkdir()
        for name in chosen:
            (folder / half / name).symlink_to(faces / name)
    return folder / "a", folder / "b"


def pairs(data: Path, folder: Path) -> dict[str, tuple[Path, Path, str]]:
    """Name -> real side, fake side, what they are; made in a folder where they are made."""
    faces = data.resolve() / "dev" / "faces_mp4_128"
    first, second = halves(faces, folder)
    mixture, far = data / "train" / "grid_faces_128", data / "dev" / "asl_mkv"
    return {
        "alike": (first, second, "100 talking faces against 100 others of the same speaker"),
        "mixture": (faces, mixture, "204 faces of two speakers against 112, shares differ"),
        "far": (faces, far, "204 talking faces against 13 sign-language clips"),
    }


def main(data: Path) -> None:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (real, fake, what) in pairs(data, Path(folder)).items():
            result = evaluate(real, fake, "stylegan-v-fvd16-panel", repeats=REPEATS)
            scale = evaluate(real, fake, "stylegan-v-fvd16", settings=Settings(motion=True)).scores[1:]
            row = json.loads(result.to_json())
            kept = {key: row[key] for key in ("scores", "motion", "warnings")}
            found.append({"pair": name, "what": what, **kept, "scale": [asdict(score) for score in scale]})
            score = result.scores[0]
            print(f"{name}: {score.value:.2f} ± {score.std:.2f}, 95 % {span(score.interval)}, floor {score.floor}")
    write("pairs", __doc__, {"pairs": found})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
