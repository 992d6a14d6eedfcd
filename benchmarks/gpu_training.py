"""Question: how good does a generator of faces get in some minutes on a GPU?

Command:  python benchmarks/gpu_training.py RUN DATA [--device cpu] [--tiny]   (RUN: folder of a run; DATA: its videos)
Time:     a minute on an H100, we think; needs the I3D weights (FVD_BENCH_I3D or the store).
Expected: FVD falls over the whole run, from one quarter of an hour to the next.

What came of a run so far: a sheet and a film of the average generator, the curve, and scores, first of few videos, then
of as many as the paper takes. The result is written again after each part. `--tiny` is for rehearsals.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import torch
from machine import RESULTS, parser, write

from stylegan_v.checkpoints import checkpoint
from stylegan_v.checkpoints.files import LAST
from stylegan_v.networks.generator import Generator, half_precision
from stylegan_v.sampling.scoring import evaluate
from stylegan_v.training.run import load_run
from stylegan_v.training.snapshots import save_fakes

VIDEOS = (256, 2048)


def curve(run: Path) -> dict[str, Any]:
    """Settings and log of a run; a run that was taken up elsewhere has the log of this machine alone."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    speeds = [1000 / line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]
    settings = load_run(str(run / "run.toml"), {}).as_dict()
    return {
        "run": {**settings, "data": {**settings["data"], "path": ""}},
        "frames_per_second": statistics.median(speeds) if speeds else None,
        "peak_memory_gib": max((line.get("peak_memory_gib", 0.0) for line in lines), default=None),
        "curve": [[line["kimg"], line["fvd"]] for line in lines if "fvd" in line],
        "log": lines,
    }


def show(generator: Generator, *, kimg: float, fps: float) -> None:
    """Write sheet.jpg, and film.mp4, or film.webp where there is no av."""
    folder = RESULTS / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    save_fakes(folder, generator, kimg=kimg, fps=fps)
    for file in folder.iterdir():
        file.replace(RESULTS / ("sheet.jpg" if file.suffix == ".jpg" else f"film{file.suffix}"))
    folder.rmdir()


def main() -> None:
    options = parser()
    options.add_argument("run", type=Path)
    options.add_argument("data", type=Path)
    arguments = options.parse_args()
    found = checkpoint.load(arguments.run / LAST)
    generator = found.generator(arguments.device)
    generator.use_half(half_precision("auto", torch.device(arguments.device)))  # as training scores it
    kimg = (found.state or {})["kimg"]
    show(generator, kimg=kimg, fps=found.fps)
    table = {**({"tiny": True} if arguments.tiny else {}), "kimg": kimg, **curve(arguments.run), "scores": []}
    write("training", __doc__, table, device=arguments.device)
    for videos in (2,) if arguments.tiny else VIDEOS:
        result = evaluate(
            generator, arguments.data, videos=videos, fps=found.fps, protocol="stylegan-v-fvd16", features=None
        )
        score = result.scores[0]
        row = {"videos": videos, "fvd": score.value, "interval": score.interval, "signature": score.signature}
        table["scores"].append(row)
        print(row)
        write("training", __doc__, table, device=arguments.device)


if __name__ == "__main__":
    main()
