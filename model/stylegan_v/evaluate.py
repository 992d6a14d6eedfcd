"""Scores of a generator in training, by the toolkit and its protocols, without a detour over the disk."""

from __future__ import annotations

from pathlib import Path

import fvd_bench
from fvd_bench.extractors import float32_arithmetic
from fvd_bench.protocol import load
from fvd_bench.result import Result
from stylegan_v.generator import Generator
from stylegan_v.sample import GeneratedVideos


def evaluate(
    generator: Generator,
    real: str | Path,
    *,
    videos: int,
    fps: float,
    protocol: str,
    features: Path | None,
    seed: int = 0,
) -> Result:
    """Score videos that a generator makes from t = 0 against real ones.

    fps: of the videos that it was trained on. protocol: name or path; its JPEG rule decides whether frames go through a
    codec. features: folder of the feature store, so that the real side is read once; None for no store.
    """
    rule = load(protocol).fake
    device = next(generator.parameters()).device
    fakes = GeneratedVideos(generator, videos=videos, frames=rule.frames_needed, seed=seed, train_fps=fps)
    settings = fvd_bench.Settings(device="cuda" if device.type == "cuda" else "cpu", cache=features)
    with float32_arithmetic("float32"):  # the generator's too, which runs beside the network that scores
        return fvd_bench.evaluate(real, fakes, protocol=protocol, settings=settings)
