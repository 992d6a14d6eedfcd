"""Question: how much do the pitfalls of the StyleGAN-V paper's Table 4 move FVD on other data?

Command:  python benchmarks/table4.py DATA           (DATA: a folder with dev/ and train/, see benchmarks/README.md)
Time:     about 25 minutes on 2 cores; a minute when the features are stored already.
Expected: the same pitfalls as in the paper move the score, by other amounts and partly to the other side: that they
          move it is the point. The faces have 75 frames of 128 x 128: too few for every 8th frame, and nothing to
          make smaller. So a last pair of long videos, far too few to mean anything, shows that these two rows work.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from collapse import write_lossless
from machine import write
from pairs import pairs
from rich.console import Console

from fvd_bench.evaluation.studies.table4 import table4
from fvd_bench.reports.table4 import table4_report
from fvd_bench.videos.file import VideoFile

PIECE_FRAMES = 130
MOST_PIXELS = 640 * 480


def long_videos(data: Path, folder: Path) -> tuple[Path, Path]:
    """Long videos cut into pieces of 130 frames, every other one on the other side, as lossless files."""
    sides = folder / "even", folder / "odd"
    for side in sides:
        side.mkdir()
    for file in sorted((data / "dev" / "long_mp4").iterdir()):
        video = VideoFile(file)
        for piece in range(video.num_frames // PIECE_FRAMES):
            indices = np.arange(piece * PIECE_FRAMES, (piece + 1) * PIECE_FRAMES)
            frames = [frame.pixels for frame in video.frames(indices)]
            if frames[0].shape[0] * frames[0].shape[1] <= MOST_PIXELS:
                write_lossless(sides[piece % 2] / f"{file.stem}-{piece}.mkv", np.stack(frames))
    return sides


def main(data: Path) -> None:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "long").mkdir()
        long = long_videos(data.resolve(), Path(folder) / "long")
        what = "pieces of 7 long videos against other pieces of the same: shows the rows, means nothing"
        for name, (real, fake, about) in {**pairs(data, Path(folder)), "long": (*long, what)}.items():
            result = table4(real, fake, repeats=5)
            row = json.loads(result.to_json())
            found.append({"pair": name, "what": about, **{key: row[key] for key in ("scores", "motion", "warnings")}})
            print(f"{name}: {about}", flush=True)
            Console(width=200).print(table4_report(result).text)
    write("table4", __doc__, {"pairs": found})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
