"""What toy.py and faces.py do: train for some minutes, score on the way, keep the best generator and its curve."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import result_file, write
from widening import with_labels

from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint
from stylegan_v.checkpoints.files import BEST, LAST
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
    ends = time.monotonic() + 60 * minutes
    first = score(build_generator(stages[0].model, seed=stages[0].train.seed), stages[0], out / "stage-1" / "features")
    trained = list(_trained(stages, out, "stage", ends, kimg=0.0, begin=None))
    best = _kept_best(trained, first[0], checkpoint_name)
    kimg = sum(stage.kimg for stage in trained)
    print(f"FVD {first[0]:.1f} untrained, {best:.1f} at best, after {kimg:.1f} kimg")
    table = {
        "stages": [described(run, videos) for run in stages],
        "kimg": kimg,
        "seconds_per_kimg": float(np.median([seconds for stage in trained for seconds in stage.seconds_per_kimg])),
        "untrained": first[0],
        "best": best,
        "curve [kimg, fvd, low, high]": [[0.0, *first], *(point for stage in trained for point in stage.points)],
    }
    write(name, question, table)
    return first[0], best


def go_on(name: str, question: str | None, stages: Sequence[Run], out: Path, *, minutes: float, videos: int,
          checkpoint_name: str) -> tuple[float, float]:  # fmt: skip
    """Go on from the kept generator of a result, whose discriminator is gone, and add to the result. Gives FVD at best
    before and now.

    The first stage says how long a new discriminator learns alone; each other one begins with the networks of the one
    before it, and with the average of the generator. The same call goes on with the runs in out/further-1, …. The other
    arguments are those of `learn`.
    """
    ends, start = time.monotonic() + 60 * minutes, out / "before.json"
    if not start.exists():
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(result_file(name, ".json", "cpu"), start)
    table = json.loads(start.read_text("utf-8"))
    before, begin = table["best"], CHECKPOINTS / f"{checkpoint_name}.pt"
    begun = "the best generator so far, and a new discriminator"
    trained = list(_trained(stages, out, "further", ends, kimg=table["kimg"], begin=begin))
    for stage in trained:
        table["curve [kimg, fvd, low, high]"] += stage.points
        table["stages"].append({**described(stage.run, videos), "begun with": begun})
        begun = "the networks of the stage before it"
    table["best"] = _kept_best(trained, before, checkpoint_name)
    table["kimg"] += sum(stage.kimg for stage in trained)
    if seconds := [seconds for stage in trained for seconds in stage.seconds_per_kimg]:
        table["seconds_per_kimg"] = float(np.median(seconds))
    write(name, question, table)
    print(f"FVD {before:.1f} at best before, {table['best']:.1f} now, after {table['kimg']:.1f} kimg")
    return before, table["best"]


@dataclass(frozen=True, slots=True)
class _Trained:
    """A stage as it was trained. points: its scores, of the curve. kimg: thousands of frames that it saw by itself."""

    run: Run
    folder: Path
    points: list[list[float]]
    seconds_per_kimg: list[float]
    kimg: float


def _trained(
    stages: Sequence[Run], out: Path, kind: str, ends: float, *, kimg: float, begin: Path | None
) -> Iterator[_Trained]:
    """Train stage after stage in out/KIND-1, out/KIND-2, …, until the monotonic clock says `ends`.

    kimg: thousands of frames that were seen before. begin: a checkpoint whose networks the first stage begins with, and
    the next ones with those of the stage before; of no account to a stage that goes on. None for new networks, whose
    averages of gradients the next stages take over too.
    """
    for number, run in enumerate(stages, 1):
        left = (ends - time.monotonic()) / 60
        if left <= 0:
            return
        folder, before = out / f"{kind}-{number}", out / f"{kind}-{number - 1}" / LAST
        if begin is None and number > 1 and not (folder / LAST).exists():
            _begin_with(before, run, folder)
        elif begin is not None and number > 1:
            begin = before
        networks = None
        if begin is not None:
            networks = with_labels(checkpoint.load(begin), run.model.num_classes, Path(run.data.path))
        done = train(run, folder, device="cpu", workers=1, minutes=left, progress=silent, begin=networks)
        yield _Trained(run, folder, *logged(folder, kimg), done)
        kimg += done


def _kept_best(trained: Sequence[_Trained], best: float, checkpoint_name: str) -> float:
    """Return the best FVD, and keep the generator that has it where it is better than the best so far."""
    file = None
    for stage in trained:
        if (lowest := min((fvd for _, fvd, _, _ in stage.points), default=best)) < best:
            best, file = lowest, stage.folder / BEST
    if file is not None:
        keep(file, checkpoint_name)
    return best


def logged(folder: Path, kimg: float) -> tuple[list[list[float]], list[float]]:
    """Return from the log of a run its scores, as points of a curve, and the seconds per kimg of each line.

    kimg: thousands of frames seen before the run.
    """
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    points = [[kimg + line["kimg"], line["fvd"], line["fvd_low"], line["fvd_high"]] for line in lines if "fvd" in line]
    return points, [line["seconds_per_kimg"] for line in lines if "seconds_per_kimg" in line]


def described(run: Run, videos: int) -> dict[str, Any]:
    """A run without the path of its videos, for results."""
    return {**run.as_dict(), "data": {"videos": videos}}


def keep(file: Path, name: str) -> None:
    """Write the average generator of a checkpoint and the settings of its run to checkpoints/."""
    found = checkpoint.load(file).for_sampling()
    checkpoint.save(found, CHECKPOINTS / f"{name}.pt")
    (CHECKPOINTS / f"{name}.toml").write_text(load_run(None, found.run or {}).to_toml(), "utf-8")


def _begin_with(file: Path, run: Run, folder: Path) -> None:
    """Make the state of a checkpoint the first one of a run: networks, averages of gradients, and the generator as it
    is for its average. `train(…, begin=…)` takes over networks and the average instead."""
    before = checkpoint.load(file)
    assert before.state is not None
    trainer = {**before.state["trainer"], "steps": 0}
    claim(folder, run)
    tensors = {**before.tensors, **{f"ema.{key}": tensor for key, tensor in before.part("generator").items()}}
    state = {**before.state, "trainer": trainer, "kimg": 0.0}
    started = checkpoint.Checkpoint(run.model, tensors, before.fps, run.as_dict(), state)
    checkpoint.save(started, folder / LAST)


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
