"""Trainers of every method, small enough for a step in a moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan_v.baselines import registry
from stylegan_v.data.clips import Batch, VideoDataset, batches
from stylegan_v.methods.trainer import Trainer
from stylegan_v.networks.video_generator import Config
from stylegan_v.training.run import Run, load_run
from tests.model.conftest import TINY

METHODS = [*registry.MODULES]
STAGES = [(name, stage.name) for name in METHODS for stage in registry.method(name).stages()]
"""Every stage of every method."""


def tiny(name: str) -> Config:
    """The smallest model of a method."""
    if name == registry.DEFAULT:
        return registry.method(name).configure(resolution=32, std_group=2, **TINY)
    return registry.method(name).configure("tiny")


@pytest.fixture
def tiny_run(toy_videos: Path) -> Callable[..., Run]:
    """A run of the smallest model of a method. Settings that it has no use for are left out.

    model: values of the model that replace others.
    """

    def make(name: str, stage: str = "", *, model: Mapping[str, Any] | None = None, **train: Any) -> Run:
        train = {"batch": 4, "r1_interval": 2, "precision": "float32", **train}
        used = {key: value for key, value in train.items() if key not in registry.method(name).unused}
        sections = {
            "model": {**tiny(name).as_dict(), **(model or {})},
            "data": {"path": str(toy_videos)},
            "train": used,
        }
        return dataclasses.replace(load_run(None, sections), stage=stage)

    return make


@pytest.fixture
def tiny_trainer(tiny_run) -> Callable[..., Trainer]:
    """A trainer of the smallest model of a method, in one of its stages."""

    def make(name: str, stage: str = "", **changes: Any) -> Trainer:
        run = tiny_run(name, stage, **changes)
        kind = run.method.stage(stage).trainer
        clips = dataclasses.asdict(kind.clips(run.model))
        dataset = VideoDataset.open(run.data.path, resolution=run.model.resolution, **clips)
        return kind(run, dataset, torch.device("cpu"))

    return make


def first_batch(trainer: Trainer) -> Batch:
    """The real clips of its next step."""
    clips = batches(trainer.dataset, trainer.samples(), seed=trainer.run.train.seed, workers=1)
    try:
        return next(clips)
    finally:
        clips.close()
