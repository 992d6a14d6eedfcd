"""What toy.py and faces.py do: train for some minutes, score on the way, keep the best generator and its curve."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import result_file, write

from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint
from stylegan_v.networks.generator import Generator, build_generator
from stylegan_v.sampling.scoring import evaluate
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run, load_run
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
    curve: list[list[float]] = [[0.0, *first]]
    best_file, seconds, kimg = None, [], 0.0
    for number, run in enumerate(stages, 1):
        left = minutes - (time.monotonic() - began) / 60
        folder = out / f"stage-{number}"
        if left <= 0:
            break
        if number > 1 and not (folder / "checkpoint.pt").exists():
            _begin_with(out / f"stage-{number - 1}" / "checkpoint.pt", run, folder)
        done = train(run, folder, device="cpu", workers=1, minutes=left, progress=silent)
        points, pace = logged(folder, kimg)
        if points and min(map(_fvd, points)) < min(map(_fvd, curve)):
            best_file = folder / "best.pt"
        curve, seconds, kimg = curve + points, seconds + pace, kimg + done
    best = min(map(_fvd, curve))
    if best_file is not None:
        keep(best_file, checkpoint_name)
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


def go_on(name: str, question: str | None, stages: Sequence[Run], out: Path, *, minutes: float, videos: int,
          checkpoint_name: str) -> tuple[float, float]:  # fmt: skip
    """Go on from the kept generator of a result, whose discriminator is gone, and add to the result. Gives FVD at best
    before and now.

    The first stage says how long a new discriminator learns alone; each other one begins with the networks of the one
    before it, and with the average of the generator. The same call goes on with the runs in `out`. The other arguments
    are those of `learn`.
    """
    began, start = time.monotonic(), out / "before.json"
    if not start.exists():
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(result_file(name, ".json", "cpu"), start)
    table = json.loads(start.read_text("utf-8"))
    before, best_file, seconds = table["best"], None, []
    begin, begun = CHECKPOINTS / f"{checkpoint_name}.pt", "the best generator so far, and a new discriminator"
    for number, run in enumerate(stages, 1):
        left = minutes - (time.monotonic() - began) / 60
        if left <= 0:
            break
        folder = out / f"further-{number}"  # what it begins with is of no account where it goes on
        done = train(run, folder, device="cpu", workers=1, minutes=left, progress=silent, begin=checkpoint.load(begin))
        points, pace = logged(folder, table["kimg"])
        if points and min(map(_fvd, points)) < table["best"]:
            best_file, table["best"] = folder / "best.pt", min(map(_fvd, points))
        table["curve [kimg, fvd, low, high]"] += points
        table["stages"].append({**described(run, videos), "begun with": begun})
        table["kimg"] += done
        seconds += pace
        begin, begun = folder / "checkpoint.pt", "the networks of the stage before it"
    if best_file is not None:
        keep(best_file, checkpoint_name)
    write(name, question, {**table, "seconds_per_kimg": float(np.median(seconds or [table["seconds_per_kimg"]]))})
    print(f"FVD {before:.1f} at best before, {table['best']:.1f} now, after {table['kimg']:.1f} kimg")
    return before, table["best"]


def logged(folder: Path, kimg: float) -> tuple[list[list[float]], list[float]]:
    """Return from the log of a run its scores, as points of a curve, and the seconds per kimg of each line.

    kimg: thousands of frames seen before the run.
    """
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    points = [[kimg + line["kimg"], line["fvd"], line["fvd_low"], line["fvd_high"]] for line in lines if "fvd" in line]
    return points, [line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]


def _fvd(point: list[float]) -> float:
    return point[1]


def described(run: Run, videos: int) -> dict[str, Any]:
    """A run without the path of its videos, for results."""
    return {**run.as_dict(), "data": {"videos": videos}}


def keep(file: Path, name: str) -> None:
    """Write the average generator of a checkpoint and the settings of its run to checkpoints/."""
    found = checkpoint.load(file).for_sampling()
    checkpoint.save(found, CHECKPOINTS / f"{name}.pt")
    (CHECKPOINTS / f"{name}.toml").write_text(load_run(None, found.run or {}).to_toml(), "utf-8")


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
