"""Question: what do pairs of real video sets score that should be close, shifted, and far apart?

Command:  python benchmarks/pairs.py DATA            (DATA: a folder with dev/ and train/, see benchmarks/README.md)
Time:     about 12 minutes on 2 cores; seconds when the features are stored already.
Expected: the floor (two halves of one speaker's videos) far below the mixture (other speakers, other codec), which
          is far below the far pair (sign language against faces).
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from machine import write

from fvd_bench.evaluation import evaluate

REPEATS = 5


def halves(faces: Path, folder: Path) -> tuple[Path, Path]:
    """Two disjoint sets of 100 of the s1 speaker's videos, split by a hash of the name."""
    names = sorted((f.name for f in faces.glob("s1_*.mp4")), key=lambda name: hashlib.sha256(name.encode()).digest())
    for half, chosen in (("a", names[:100]), ("b", names[100:])):
        (folder / half).mkdir()
        for name in chosen:
            (folder / half / name).symlink_to(faces / name)
    return folder / "a", folder / "b"


def main(data: Path) -> None:
    faces = data.resolve() / "dev" / "faces_mp4_128"
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        first, second = halves(faces, Path(folder))
        pairs = {
            "floor": (first, second, "100 talking faces against 100 others of the same speaker"),
            "mixture": (
                faces,
                data / "train" / "grid_faces_128",
                "204 faces of two speakers against 112, shares differ",
            ),
            "far": (faces, data / "dev" / "asl_mkv", "204 talking faces against 13 sign-language clips"),
        }
        for name, (real, fake, what) in pairs.items():
            result = evaluate(real, fake, "stylegan-v-fvd16", repeats=REPEATS)
            (score,) = result.scores
            scores.append(
                {"pair": name, "what": what, **asdict(score), "warnings": [asdict(w) for w in result.warnings]}
            )
            print(f"{name}: {score.value:.2f} ± {score.std:.2f}")
    write("pairs", __doc__, {"scores": scores})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
