"""Scores of a generator by the toolkit and its protocols, without a detour over the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import fvd_bench
from fvd_bench.evaluation.collection import Collection, collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.protocol import load
from fvd_bench.sources.opening import SourceLike
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
    seed: int = 0,
    name: str = "generated videos",
    onlooker: Callable[[Collection, Result], None] | None = None,
    progress: Progress = silent,
) -> Result:
    """Score videos that a generator makes from t = 0 on against real ones.

    videos: number of generated videos. fps: frames per second of the videos that it was trained on.
    protocol: one or several, by name or path. A protocol's JPEG rule decides whether frames go through a codec.
    features: folder of the feature store, so that the real side is read once; None for no store.
    onlooker: see `fvd_bench.Settings`.
    Raises FvdBenchError as `fvd_bench.evaluate` does.
    """
    protocols = [load(p) for p in ([protocol] if isinstance(protocol, str) else protocol)]
    frames = max(p.fake.frames_needed for p in protocols)
    fakes = GeneratedVideos(generator, videos=videos, frames=frames, seed=seed, train_fps=fps, name=name)
    settings = replace(_settings(next(generator.parameters()).device.type, features), onlooker=onlooker)
    with (
        float32_arithmetic("float32"),  # also for the generator, which runs beside the network that scores
        open_evaluation(real, fakes, protocols, repeats=1, seed=0, settings=settings, progress=progress) as evaluation,
    ):
        return result_of(collect(evaluation))


def _settings(device: str, features: Path | None) -> fvd_bench.Settings:
    return fvd_bench.Settings(device="cuda" if device == "cuda" else "cpu", cache=features)
