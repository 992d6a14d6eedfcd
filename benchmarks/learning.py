"""What toy.py and faces.py do: train for some minutes, score on the way, keep the best generator and its curve."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import write

from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint
from stylegan_v.networks.generator import Generator, build_generator
from stylegan_v.sampling.scoring import evaluate
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run
from stylegan_v.training.run_folder import claim

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def learn(name: str, question: str | None, stages: Sequence[Run], out: Path, *, minutes: float, videos: int,
          checkpoint_name: str) -> tuple[float, float]:  # fmt: skip
    """Go on with the runs in out/stage-1, out/stage-2, … for some minutes. Gives FVD untrained and at best.

    stages: runs of one model; each begins with the networks, averages of gradients included, that the one before it
    ended with. name: of the result. videos: real ones, for the result. checkpoint_name: of the files in checkpoints/.
    """
    began = time.monotonic()
    first = score(build_generator(stages[0].model, seed=stages[0].train.seed), stages[0], out / "stage-1" / "features")
    curve, best_file, seconds = [[0.0, *first]], None, []
    kimg = 0.0
    for number, run in enumerate(stages, 1):
        left = minutes - (time.monotonic() - began) / 60
        folder = out / f"stage-{number}"
        if left <= 0:
            break
        if number > 1 and not (folder / "checkpoint.pt").exists():
            _begin_with(out / f"stage-{number - 1}" / "checkpoint.pt", run, folder)
        done = train(run, folder, device="cpu", workers=1, minutes=left, progress=silent)
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
        for line in lines:
            if "fvd" in line:
                if line["fvd"] < min(point[1] for point in curve):
                    best_file = folder / "best.pt"
                curve.append([kimg + line["kimg"], line["fvd"], line["fvd_low"], line["fvd_high"]])
        seconds += [line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]
        kimg += done
    best = min(point[1] for point in curve)
    if best_file is not None:
        keep(best_file, stages[-1], checkpoint_name)
    print(f"FVD {first[0]:.1f} untrained, {best:.1f} at best, after {kimg:.1f} kimg")
    table = {
        "stages": [described(run, videos) for run in stages],
        "kimg": kimg,
        "seconds_per_kimg": float(np.median(seconds)),
        "untrained": first[0],
        "best": best,
        "curve [kimg, fvd, low, high]": curve,
    }
    write(name, question, table)
    return first[0], best


def described(run: Run, videos: int) -> dict[str, Any]:
    """A run without the path of its videos, for results."""
    return {**run.as_dict(), "data": {"videos": videos}}


def keep(file: Path, run: Run, name: str) -> None:
    """Write the average generator of a checkpoint and the settings of its run to checkpoints/."""
    kept = CHECKPOINTS / f"{name}.pt"
    checkpoint.save(checkpoint.load(file).for_sampling(), kept)
    settings = dataclasses.replace(run, data=dataclasses.replace(run.data, path=""))
    kept.with_suffix(".toml").write_text(settings.to_toml(), "utf-8")


def _begin_with(file: Path, run: Run, folder: Path) -> None:
    """Make the networks of a checkpoint the first state of a run, whose average begins with them as they are."""
    before = checkpoint.load(file)
    assert before.state is not None
    trainer = {**before.state["trainer"], "steps": 0}
    claim(folder, run)
    tensors = {**before.tensors, **{f"ema.{key}": tensor for key, tensor in before.part("generator").items()}}
    state = {**before.state, "trainer": trainer, "kimg": 0.0}
    started = checkpoint.Checkpoint(run.model, tensors, before.fps, run.as_dict(), state)
    checkpoint.save(started, folder / "checkpoint.pt")


def score(generator: Generator, run: Run, features: Path) -> tuple[float, float, float]:
    """FVD of a generator as the run scores its own, and its interval."""
    found = evaluate(
        generator.eval().requires_grad_(False),
        run.data.path,
        videos=run.report.fvd_videos,
        fps=run.data.fps,
        protocol=run.report.protocol,
        features=features,
    ).scores[0]
    assert found.value is not None and found.interval is not None
    return found.value, *found.interval
