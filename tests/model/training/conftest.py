"""Runs of a few steps with what they leave in their folders, and trainers by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fvd_bench.progress import silent
from stylegan_v.data.clips import VideoDataset
from stylegan_v.methods.settings import TrainRun
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.training.loop import train
from stylegan_v.training.run import DataRun, Run, load_run

STEP_KIMG = 4 * 3 / 1000


@pytest.fixture(scope="session")
def run_of(toy_videos: Path, tiny_config):
    """A run of some steps of four clips."""

    def make(steps: int, *, data: dict | None = None, train: dict | None = None, report: dict | None = None) -> Run:
        model = {k: v for k, v in tiny_config(std_group=2).as_dict().items() if k != "preset"}
        sections = {
            "model": model,
            "data": {"path": str(toy_videos), **(data or {})},
            "train": {"batch": 4, "kimg": steps * STEP_KIMG, "r1_interval": 2, **(train or {})},
            "report": {"tick_kimg": STEP_KIMG, "snapshot_kimg": 2 * STEP_KIMG, "fvd_kimg": 0.0, **(report or {})},
        }
        return load_run(None, sections)

    return make


@pytest.fixture
def make_trainer(toy_videos: Path, tiny_config):
    """A trainer of a tiny model on a processor."""

    def make(*, num_classes: int = 0, preset: str = "release", frames: int = 3, **train) -> StyleTrainer:
        model = tiny_config(preset, num_classes=num_classes, frames=frames, std_group=2)
        run = Run(
            model=model, data=DataRun(path=str(toy_videos)), train=TrainRun(**{"batch": 4, "r1_interval": 2, **train})
        )
        dataset = VideoDataset.open(toy_videos, resolution=32, frames=frames, num_classes=num_classes)
        return StyleTrainer(run, dataset, torch.device("cpu"))

    return make


def go(run: Run, out: Path) -> None:
    train(run, out, device="cpu", workers=1, minutes=None, progress=silent)


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
