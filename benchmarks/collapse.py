"""Question: which collapses of motion does FVD16 not see, and does the motion panel see them?

Command:  python benchmarks/collapse.py DATA         (DATA: a folder with dev/, see benchmarks/README.md)
Time:     about 5 minutes on 2 idle cores (9 minutes of processor time).
Expected: videos that loop or freeze after the 16 frames that FVD16 looks at score exactly what healthy ones do, and
          are found; slowed and frozen ones are found as well; healthy ones are not. Of the scale, shuffled and
          reversed clips cost less than other videos of the same speaker do, and only frozen ones cost much more.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from machine import write
from pairs import halves

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.video import Pixels

PROTOCOL = "stylegan-v-fvd16"
VIDEOS = 60

GENERATORS: dict[str, tuple[str, Callable[[int], list[int]]]] = {
    "healthy": ("real videos that are not on the real side", lambda n: list(range(n))),
    "looping": ("their first 25 frames forwards and backwards, again and again", lambda n: ping_pong(25, n)),
    "freezing": ("still after their first 16 frames", lambda n: [min(t, 15) for t in range(n)]),
    "slow": ("at a quarter of their speed", lambda n: [t // 4 for t in range(n)]),
    "frozen": ("their first frame all the time", lambda n: [0] * n),
}
"""Name -> what it makes of videos, and the source frame of each of n frames."""


def ping_pong(forwards: int, num_frames: int) -> list[int]:
    """0, 1, …, forwards - 1, …, 1, 0, 1, …"""
    period = 2 * forwards - 2
    return [min(t % period, period - t % period) for t in range(num_frames)]


def write_lossless(file: Path, frames: Pixels) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def make_sides(faces: Path, folder: Path) -> dict[str, Path]:
    """The real side and one folder per generator, as lossless files."""
    first, second = halves(faces, folder)
    sides = {name: folder / name for name in ("real", *GENERATORS)}
    for side in sides.values():
        side.mkdir()
    for file in sorted(first.iterdir())[:VIDEOS]:
        (sides["real"] / file.name).symlink_to(file.resolve())
    for file in sorted(second.iterdir())[:VIDEOS]:
        video = VideoFile(file)
        frames = np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])
        for name, (_, indices) in GENERATORS.items():
            write_lossless(sides[name] / f"{file.stem}.mkv", frames[indices(len(frames))])
    return sides


def main(data: Path) -> None:
    table: dict[str, Any] = {"protocol": PROTOCOL, "videos a side": VIDEOS, "generators": [], "scale": []}
    with tempfile.TemporaryDirectory() as temporary:
        sides = make_sides(data.resolve() / "dev" / "faces_mp4_128", Path(temporary))
        for name, (what, _) in GENERATORS.items():
            result = evaluate(sides["real"], sides[name], PROTOCOL, settings=Settings(motion=name == "healthy"))
            score, *scale = result.scores
            assert result.motion is not None
            found = [asdict(warned) for warned in result.warnings if warned.code.startswith("fake-")]
            table["real motion"] = asdict(result.motion.real)
            table["generators"].append(
                {"name": name, "what": what, "fvd": score.value, "interval": score.interval}
                | {"floor": score.floor and asdict(score.floor), "motion": asdict(result.motion.fake), "found": found}
            )
            table["scale"] += [{"row": s.row, "fvd": s.value, "interval": s.interval} for s in scale]
            print(f"{name}: FVD {score.value:.2f}, found: {', '.join(w['code'] for w in found) or 'nothing'}")
    write("collapse", __doc__, table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
