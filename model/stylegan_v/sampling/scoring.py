"""Scores of a generator by the toolkit and its protocols, without a detour over the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

import fvd_bench
from fvd_bench.evaluation.collection import Collection, collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.protocol import load
from fvd_bench.sources.opening import SourceLike, open_source
from stylegan_v.data.labels import Labels, holds_labels, label_vectors, read_labels
from stylegan_v.networks.noise import Purpose, uniform
from stylegan_v.networks.video_generator import VideoGenerator
from stylegan_v.sampling.videos import GeneratedVideos


def check_scoring(real: str | Path, *, protocol: str, device: str, progress: Progress) -> None:
    """Make sure that videos can be scored against these real ones. Raises FvdBenchError as `evaluate` would.

    Protocol, weights and the real side are checked, so that hours of training do not end in a wrong name. Nothing is
    written but weights, where they are missing.
    """
    settings = _settings(device, None)
    with open_evaluation(real, real, protocol, repeats=1, seed=0, settings=settings, progress=progress):
        pass


def check_generated(generator: VideoGenerator, *, videos: int, protocol: str) -> None:
    """Raise ConfigError where a generator cannot make so many videos, or none as long as a protocol needs."""
    GeneratedVideos(generator, videos=videos, frames=load(protocol).fake.frames_needed)


def evaluate(
    generator: VideoGenerator,
    real: SourceLike,
    *,
    videos: int,
    fps: float,
    protocol: str | Sequence[str],
    features: Path | None,
    labels: Labels | None = None,
    seed: int = 0,
    name: str = "generated videos",
    onlooker: Callable[[Collection, Result], None] | None = None,
    progress: Progress = silent,
) -> Result:
    """Score videos that a generator makes from t = 0 on against real ones.

    Where it has classes, each generated video has the label of a real one drawn at random, so that classes are as
    frequent as among the real videos. Where these have no labels, classes are drawn uniformly, and a note of the result
    says so.
    videos: number of generated videos. fps: frames per second of the videos that it was trained on.
    protocol: one or several, by name or path. A protocol's JPEG rule decides whether frames go through a codec.
    features: folder of the feature store, so that the real side is read once; None for no store.
    labels: what `labels_of` says of the real side, for whoever scores several times; None to have it read.
    onlooker: see `fvd_bench.Settings`.
    Raises FvdBenchError as `fvd_bench.evaluate` does, and DataError for labels of another number of classes.
    """
    protocols = [load(p) for p in ([protocol] if isinstance(protocol, str) else protocol)]
    frames = max(p.fake.frames_needed for p in protocols)
    if labels is None:
        labels = labels_of(real, generator.config.num_classes)
    drawn = None if labels is None else _drawn(labels, videos=videos, seed=seed)
    fakes = GeneratedVideos(generator, videos=videos, frames=frames, seed=seed, train_fps=fps, labels=drawn, name=name)
    settings = replace(_settings(next(generator.parameters()).device.type, features), onlooker=onlooker)
    with (
        float32_arithmetic("float32"),  # also for the generator, which runs beside the network that scores
        open_evaluation(real, fakes, protocols, repeats=1, seed=0, settings=settings, progress=progress) as evaluation,
    ):
        return result_of(collect(evaluation))


def labels_of(real: SourceLike, classes: int) -> Labels | None:
    """Return the labels of the real videos that have one, in the order of the listing: float32 [N, classes].

    The side is listed for it. None where there are no classes, or no real video has a label. Raises DataError.
    """
    if not classes or not isinstance(real, str | os.PathLike) or not holds_labels(path := Path(real)):
        return None
    names = open_source(path).names
    found = read_labels(path, names)
    return label_vectors(found, [name for name in names if name in found], classes) if found else None


def _drawn(labels: Labels, *, videos: int, seed: int) -> Labels:
    """Draw a label for each generated video from those of the real ones: float32 [videos, classes]."""
    places = uniform(seed, Purpose.LABEL, torch.arange(videos), 0, 1)[:, 0] * len(labels)
    drawn: Labels = labels[places.long().numpy()]
    return drawn


def _settings(device: str, features: Path | None) -> fvd_bench.Settings:
    return fvd_bench.Settings(device="cuda" if device == "cuda" else "cpu", cache=features)
