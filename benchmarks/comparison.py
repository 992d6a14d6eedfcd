"""What table1.py, table2.py and table3.py do: train each row on the same videos under one budget, and score all alike.

OUT holds `videos/SET`, `features`, and a folder for each set and row, with the run and `row.json`: what was asked, the
seconds and frames of each stage so far, and what came out. A command that was interrupted goes on in the row that it
was in. A larger budget goes on from a smaller one, but for methods of several stages, of which the first has ended:
these need another OUT.

On a CPU the budget is processor time, of all threads together, so that other work on the machine takes nothing from a
row. On a GPU it is the time that passes. Methods of several stages split it as their stages split the frames of a run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pictures
import torch
from machine import parser, result_file, write
from toy import FIRST_SEED, write_videos

import fvd_bench
from fvd_bench.atomic import write_text
from fvd_bench.errors import AbsentWeightsError, FvdBenchError
from fvd_bench.finding import FvdBenchWarning
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.progress import silent
from fvd_bench.protocols.protocol import load
from fvd_bench.settings import Settings
from stylegan_v.checkpoints import checkpoint
from stylegan_v.data.folder import PrepareSettings
from stylegan_v.data.preparing import prepare
from stylegan_v.methods.method import Stage
from stylegan_v.networks.video_generator import VideoGenerator
from stylegan_v.sampling.videos import GeneratedVideos
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run, load_run

SCORES: Mapping[str, str] = {
    "FVD16": "stylegan-v-fvd16",
    "FVD128": "stylegan-v-fvd128",
    "FID": "stylegan-v-fid",
}
"""Column -> protocol. The first one is what the plot shows."""

SHAPE_FRAMES = 144
"""Of a video of shapes: enough for every score. The talking faces have 75."""

DRAWN_ONCE = 64
"""Clips of this many frames and more are drawn once: 128 of 128 frames take a core six minutes."""

FPS = 25.0
LONGEST = 25000.0
"""Thousands of frames, as the paper trains. No budget here reaches them, so rates that fall over a run stay high."""

NEARLY = 0.02
"""A stage ends when this share of its budget is left, since a training cannot be stopped to the second."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. name: of its folder. label: in the table. changes: of the sections of its run."""

    name: str
    label: str
    changes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class VideoSet:
    """Videos that are trained on and scored against. train: settings of [train], for the methods that have them.

    answer: others of the same kind, which a perfect method would make; None where there are none.
    """

    name: str
    what: str
    videos: Path
    train: Mapping[str, Any] = field(default_factory=dict)
    answer: Path | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What all rows have alike. minutes: of training, see above. videos, repeats: of scores."""

    minutes: float
    device: str
    preset: str
    resolution: int
    videos: int
    repeats: int


def main(
    name: str,
    doc: str,
    rows: Sequence[Row],
    baseline: str,
    *,
    argv: Sequence[str] | None = None,
    scores: Mapping[str, str] = SCORES,
) -> None:
    """Run a table's command, which writes the results of each set apart.

    name: of the results. doc: of the script. baseline: the row that costs are held to.
    """
    asked = arguments(doc, argv)
    tiny = asked.tiny
    budget = Budget(
        minutes=asked.minutes,
        device=asked.device,
        preset="tiny" if tiny else "small",
        resolution=32 if tiny else 64,
        videos=6 if tiny else asked.videos,
        repeats=2 if tiny else 3,
    )
    failed: list[str] = []
    for make in (SETS[name] for name in asked.sets or SETS):
        videos = make(asked.data, asked.out / "videos", budget)
        table: dict[str, Any] = {"tiny": True} if tiny else {}
        table |= {"set": videos.what, "budget": asdict(budget), "train": videos.train, "baseline": baseline, "rows": {}}
        if videos.answer is not None:
            table["others of the same kind"] = scored(videos.answer, videos, budget, scores, asked.out)
        found = table["rows"]
        for row in rows:
            folder = asked.out / videos.name / row.name
            try:
                found[row.name] = learned(row, videos, budget, scores, folder, asked.out)
            except FvdBenchError as error:  # such as a training that has diverged: the others are trained all the same
                found[row.name] = {"label": row.label, "failed": str(error)}
            hold_costs(found, baseline)
            write(f"{name}-{videos.name}", doc, table, device=budget.device)
        whole = [row for row in rows if "failed" not in found[row.name]]
        failed += [f"{videos.name}, {row.name}" for row in rows if row not in whole]
        sheet = result_file(f"{name}-{videos.name}-sheet", ".jpg", budget.device)
        plot = result_file(f"{name}-{videos.name}-cost", ".png", budget.device)
        trained = {row.label: asked.out / videos.name / row.name / "checkpoint.pt" for row in whole}
        pictures.sheet(trained, videos.videos, sheet, device=budget.device)
        if baseline in {row.name for row in whole}:
            pictures.costs({row.label: found[row.name] for row in whole}, next(iter(scores)), baseline, plot)
    if failed:
        sys.exit(f"failed, and tried again by the same command: {'; '.join(failed)}")


def arguments(doc: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """What was typed."""
    options = parser("cpu")
    options.description = doc.splitlines()[0]
    options.add_argument("data", type=Path, help="a folder with train/grid_faces_128, see benchmarks/README.md")
    options.add_argument("out", type=Path, help="a folder for the runs; the same command goes on")
    options.add_argument("--minutes", type=float, default=60.0, help="of a processor, or of a GPU, for each row")
    options.add_argument("--videos", type=int, default=128, help="that are scored on each side, in each row")
    options.add_argument("--set", dest="sets", choices=[*SETS], action="append", help="this one alone, unless both")
    return options.parse_args(argv)


def faces(data: Path, folder: Path, budget: Budget) -> VideoSet:
    """The talking faces of the data, prepared in a folder unless they are there."""
    videos = folder / "faces"
    prepare(data / "train" / "grid_faces_128", videos, PrepareSettings(resolution=budget.resolution))
    return VideoSet("faces", "talking faces", videos, {"r1_gamma": 1.0})


def shapes(data: Path, folder: Path, budget: Budget) -> VideoSet:
    """Moving shapes, and others of the same kind, written in a folder unless they are there. data: not needed."""
    videos, others = folder / "shapes", folder / "other-shapes"
    for written, first in ((videos, FIRST_SEED), (others, FIRST_SEED + 10**6)):
        write_videos(written, first_seed=first, videos=budget.videos, side=budget.resolution, frames=SHAPE_FRAMES)
    what = "moving shapes of the demo's generator"
    return VideoSet("shapes", what, videos, {"r1_gamma": 20.0, "ada": False}, others)


SETS: Mapping[str, Callable[[Path, Path, Budget], VideoSet]] = {"faces": faces, "shapes": shapes}
"""The sets of all tables, by name."""


def learned(
    row: Row, videos: VideoSet, budget: Budget, scores: Mapping[str, str], folder: Path, out: Path
) -> dict[str, Any]:
    """What a row came to: trained within the budget and scored, or as it was found earlier for the same question."""
    run = run_of(row, videos, budget)
    asked = json.loads(json.dumps({"budget": asdict(budget), "run": run.as_dict(), "scores": dict(scores)}))
    file = folder / "row.json"
    record = {"asked": asked, "stages": {}}
    if file.exists():
        record = json.loads(file.read_text("utf-8"))
        record["asked"]["run"] = load_run(None, record["asked"]["run"]).as_dict()  # with settings that are new since
    if len(run.method.stages()) == 1 and record["asked"]["budget"]["minutes"] < budget.minutes:
        record["asked"]["budget"]["minutes"] = budget.minutes
        record.pop("found", None)
    if record["asked"] != asked:
        sys.exit(f"{folder} answers another question, of other settings or another budget: name another OUT")
    if "found" not in record:
        for stage in run.method.stages():
            spend(run, stage, folder, budget, record)
        parameters = {name: counts["total"] for name, counts in run.method.parameters(run.model).items()}
        generator = checkpoint.load(folder / "checkpoint.pt").generator(budget.device).requires_grad_(False)
        kimg, seconds = (
            fold(stage[what] for stage in record["stages"].values()) for fold, what in ((max, "kimg"), (sum, "seconds"))
        )
        record["found"] = {
            "label": row.label,
            "parameters": parameters,
            "made token by token": generator.recurrent,
            "frames_seen": round(1000 * kimg),
            "seconds": seconds,
            "seconds_per_kimg": seconds / kimg,
            **scored(generator, videos, budget, scores, out),
        }
        write_text(file, json.dumps(record, indent=1))
    return {**record["found"], "stages": record["stages"]}


def run_of(row: Row, videos: VideoSet, budget: Budget) -> Run:
    """The run of a row on a set."""
    model = {"preset": budget.preset, "resolution": budget.resolution, **row.changes.get("model", {})}
    unused = load_run(None, {"model": model}).method.unused
    batch = {"batch": 4} if budget.preset == "tiny" else {}  # others have one of their own
    train = {key: value for key, value in {**videos.train, **batch, "kimg": LONGEST}.items() if key not in unused}
    sections = {
        "model": model,
        "data": {"path": str(videos.videos), "fps": FPS},
        "train": {**train, **row.changes.get("train", {})},
        "report": {"tick_kimg": 1.0, "snapshot_kimg": 10.0, "fvd_kimg": 0.0},
    }
    return load_run(None, sections)


def spend(run: Run, stage: Stage, folder: Path, budget: Budget, record: dict[str, Any]) -> None:
    """Train until a stage has had its share of the budget, and write down how much it had, whatever ends it."""
    on_cpu = budget.device == "cpu"
    clock = time.process_time if on_cpu else time.monotonic
    allowed = 60 * budget.minutes * stage.share / sum(other.share for other in run.method.stages())
    spent = record["stages"].setdefault(stage.name, {"seconds": 0.0})
    while (left := allowed - spent["seconds"]) > NEARLY * allowed:
        began = clock()
        minutes = left / 60 / (torch.get_num_threads() if on_cpu else 1)
        named = stage.name or None
        try:
            spent["kimg"] = train(
                run, folder, device=budget.device, workers=1, minutes=minutes, progress=silent, stage=named
            )
        finally:
            spent["seconds"] += clock() - began
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / "row.json", json.dumps(record, indent=1))


def scored(
    fake: VideoGenerator | Path, videos: VideoSet, budget: Budget, scores: Mapping[str, str], out: Path
) -> dict[str, Any]:
    """All scores of a generator, or of videos, with intervals; in place of one that cannot be had, the reason."""
    found: dict[str, Any] = {"scores": {}, "motion": None, "warnings": []}
    settings = Settings(device=budget.device, cache=out / "features")
    for name, protocol in scores.items():
        try:
            frames = load(protocol).fake.frames_needed
            repeats = 1 if frames >= DRAWN_ONCE else budget.repeats
            made = fake
            if not isinstance(fake, Path):
                made = GeneratedVideos(fake, videos=budget.videos, frames=frames, train_fps=FPS)
            with float32_arithmetic("float32"), warnings.catch_warnings():
                warnings.simplefilter("ignore", FvdBenchWarning)  # codes of all are in the result
                result = fvd_bench.evaluate(
                    videos.videos, made, protocol, repeats=repeats, settings=settings, progress=False
                )
        except FvdBenchError as error:
            said = error.sentence if isinstance(error, AbsentWeightsError) else str(error)
            reason = said.replace(str(videos.videos), f"the set {videos.name}")  # no path of this machine
            found["scores"][name] = {"value": None, "reason": reason}
            continue
        score = asdict(result.scores[0])
        kept = ("value", "reason", "std", "interval", "floor", "digest")
        found["scores"][name] = {key: score[key] for key in kept}
        found["warnings"] = sorted({*found["warnings"], *(finding.code for finding in result.warnings)})
        found["motion"] = found["motion"] or (result.motion and asdict(result.motion))
    return found


def hold_costs(rows: Mapping[str, dict[str, Any]], baseline: str) -> None:
    """Say what each row costs against the baseline, once that is there."""
    unit = rows.get(baseline, {}).get("seconds_per_kimg")
    for row in rows.values():
        if unit and "seconds_per_kimg" in row:
            row["cost"] = row["seconds_per_kimg"] / unit
