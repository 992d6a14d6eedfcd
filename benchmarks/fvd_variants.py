"""Question: what do the ways of computing FVD that are in use make of the very same videos?

Command:  python benchmarks/fvd_variants.py DATA [--all]  (DATA: a folder with dev/ and train/, see README.md)
Time:     about 3 minutes on 2 cores; with --all, which adds the protocols that take up to 2048 clips of however few
          videos (long-video-gan, cd-fvd, videogpt), half an hour. Seconds when the features are stored already.
Expected: scores that differ by tens of percents, and by several times where a bug is kept. At 16 videos a side none of
          them means anything by itself: compare them with each other.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from machine import write
from rich.console import Console

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.studies.explain import explain
from fvd_bench.protocols import protocol
from fvd_bench.reports.explain import waterfall_report
from fvd_bench.reports.scores import score_grid

VIDEOS = 16
EXPLAINED = (
    ("stylegan-v-fvd16", "stylegan-v-fvd16-code"),
    ("stylegan-v-fvd16", "latte"),
    ("stylegan-v-fvd16", "common-metrics-stylegan-v"),
    ("stylegan-v-fvd16", "videvalkit"),
)


def few(folder: Path, names: list[Path]) -> Path:
    """A folder of links to some videos."""
    folder.mkdir()
    for name in names:
        (folder / name.name).symlink_to(name)
    return folder


def main(data: Path, *, everything: bool) -> None:
    data = data.resolve()
    loaded = [protocol.load(name) for name in protocol.names()]
    names = [
        p.name
        for p in loaded
        if p.metric.names == ("fvd",) and (everything or "repeated" not in (p.real.selection, p.fake.selection))
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        real = few(folder / "real", sorted((data / "dev" / "faces_mp4_128").iterdir())[:VIDEOS])
        fake = few(folder / "fake", sorted((data / "train" / "grid_faces_128").iterdir())[:VIDEOS])
        result = evaluate(real, fake, names)
        console = Console(width=200)
        console.print(score_grid(result.scores))
        waterfalls = []
        for a, b in EXPLAINED:
            waterfall = explain(a, b, real, fake)
            console.print(waterfall_report(waterfall).text)
            waterfalls.append({k: v for k, v in json.loads(waterfall.to_json()).items() if k != "result"})
    scores = [{k: v for k, v in asdict(score).items() if k not in ("real", "fake")} for score in result.scores]
    write("fvd_variants", __doc__, {"videos a side": VIDEOS, "scores": scores, "explained": waterfalls})


if __name__ == "__main__":
    main(Path(sys.argv[1]), everything="--all" in sys.argv)
