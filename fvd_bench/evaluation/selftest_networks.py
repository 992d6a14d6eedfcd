"""Recompute published numbers of networks whose weights and pictures have to be brought: what is not there is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fvd_bench.evaluation.selftest import Check
from fvd_bench.metrics.gaussian_kernel import gaussian_kernel_distance
from fvd_bench.networks import create, weights
from fvd_bench.networks.arithmetic import float32_arithmetic
from fvd_bench.networks.videomae_network import VideoMAEClassifier
from fvd_bench.networks.vjepa2_network import VJEPA2
from fvd_bench.networks.weights.vision_transformers import VIDEOMAE_BASE, VJEPA2_L
from fvd_bench.paths import home
from fvd_bench.protocols.protocol import read
from fvd_bench.protocols.rules import FeatureRule, Resize
from fvd_bench.videos.preprocess import network_input


@dataclass(frozen=True)
class NotRun:
    """A published number that was not recomputed. expected, origin: as in `Check`."""

    name: str
    expected: float
    origin: str
    reason: str


@dataclass(frozen=True)
class Published:
    """Published numbers of one network.

    name: what the number is of. expected: the number, or 0 for the largest error of several. tolerance: the largest
        difference that passes. weights: their name, empty where none are needed.
    files: the files that it is made of, which nobody may fetch for the user, each with where it comes from.
    found: (files, device) -> the number here. None where it cannot be made here at all, for the reason in `why`.
    """

    name: str
    expected: float
    tolerance: float
    origin: str
    weights: str
    files: dict[str, str]
    found: Callable[[Sequence[Path], str], float] | None
    why: str = ""


def run(device: str) -> list[Check | NotRun]:
    """Recompute the numbers of PUBLISHED whose weights are here, and whose files lie in `folder`."""
    return [_run(published, device) for published in PUBLISHED]


def folder() -> Path:
    """Return the folder in which the files of published numbers are looked for."""
    return home() / "goldens"


def _run(published: Published, device: str) -> Check | NotRun:
    files = [folder() / name for name in published.files]
    absent = [f"{file.name} ({published.files[file.name]})" for file in files if not file.exists()]
    reasons = [published.why] if published.why else []
    if not reasons and not weights.is_here(published.weights):
        reasons.append(f"the weights {published.weights} are not here")
    if not reasons and absent:
        reasons.append(f"{folder()} lacks {' and '.join(absent)}")
    if reasons or published.found is None:
        return NotRun(published.name, published.expected, published.origin, "; ".join(reasons))
    found = published.found(files, device)
    return Check(published.name, published.expected, found, published.tolerance, published.origin)


def cmmd_of_two_images(files: Sequence[Path], device: str) -> float:
    """Return the CMMD of one image against another, real first."""
    rule = read("cmmd-frames").features
    extractor = create(rule, device=device, weights={}, progress=lambda done, total: None)
    real, fake = extractor([_image(file)[None] for file in files])
    return gaussian_kernel_distance(real, fake)


_TOKENS = ((-0.0061, -1.8365, 2.7343), (-2.5938, -2.7181, -0.1663), (-1.7993, -2.2430, -1.1388))


def error_of_vjepa2(files: Sequence[Path], device: str) -> float:
    """Return the largest error of the first 3 numbers of the first 3 tokens of an image that is repeated 64 times."""
    clip = np.repeat(_image(files[0])[None], 64, axis=0)
    network = VJEPA2(weights.load("vjepa2-l").tensors, VJEPA2_L).to(device)
    inputs = network_input(torch.from_numpy(clip).to(device), read("vjepa2-l-fd").features)
    with torch.inference_mode(), float32_arithmetic("float32"):
        tokens = network.tokens(inputs[None])[0, :3, :3].cpu()
    return float((tokens - torch.tensor(_TOKENS)).abs().max())


_LOGITS = (0.3669, -0.0688, -0.2421)
_OF_VIDEOMAE = FeatureRule(
    extractor="videomae-base",
    resize=Resize(size=224, geometry="short-side-floor-crop", kernel="bilinear-pillow"),
    range=(-1.0, 1.0),
)
"""What transformers' processor does in that test, with a mean and a deviation of one half."""


def error_of_videomae(files: Sequence[Path], device: str) -> float:
    """Return the largest error of the first 3 logits of a clip."""
    clip = np.load(files[0], allow_pickle=False)
    network = VideoMAEClassifier(weights.load("videomae-base-kinetics").tensors, VIDEOMAE_BASE).to(device)
    with torch.inference_mode(), float32_arithmetic("float32"):
        logits = network(network_input(torch.from_numpy(clip).to(device), _OF_VIDEOMAE)[None])[0, :3].cpu()
    return float((logits - torch.tensor(_LOGITS)).abs().max())


def _image(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


PUBLISHED = (
    Published(
        "CMMD of two images",
        expected=7.696,
        tolerance=1e-3,
        origin="README of sayakpaul/cmmd-pytorch, equal to the JAX original",
        weights="clip-l14-336",
        files={
            "glowing_512_1.png": "reference_images of sayakpaul/cmmd-pytorch",
            "glowing_512_2.png": "generated_images of sayakpaul/cmmd-pytorch",
        },
        found=cmmd_of_two_images,
    ),
    Published(
        "V-JEPA 2: error of 9 numbers of the last tokens",
        expected=0.0,
        tolerance=8e-2,
        origin="test of V-JEPA 2 in transformers",
        weights="vjepa2-l",
        files={"000000039769.jpg": "val2017 of COCO"},
        found=error_of_vjepa2,
    ),
    Published(
        "VideoMAE: error of 3 logits",
        expected=0.0,
        tolerance=5e-3,
        origin="test of VideoMAE in transformers, which gives them to 1e-4 under its own resize",
        weights="videomae-base-kinetics",
        files={"eating_spaghetti.npy": "hf-internal-testing/spaghetti-video on the Hugging Face hub"},
        found=error_of_videomae,
    ),
    Published(
        "FVD on VideoMAE-v2 of content-debiased FVD's example videos",
        expected=1064.6156430306792,
        tolerance=1e-3,
        origin="songweige/content-debiased-fvd issue 2",
        weights="",
        files={},
        found=None,
        why="its clips are drawn by PyTorch's generator in the original, which nothing here follows",
    ),
)
