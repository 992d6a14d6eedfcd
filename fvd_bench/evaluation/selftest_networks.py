"""Recompute published numbers of networks whose weights and pictures have to be brought: what is not there is named."""

from __future__ import annotations

import functools
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fvd_bench.evaluation.selftest import Check
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.metrics.gaussian_kernel import gaussian_kernel_distance
from fvd_bench.metrics.neighbours import coverage, density
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
    try:
        found = published.found(files, device)
    except (OSError, ValueError, KeyError, EOFError, tarfile.TarError) as error:
        if not files:
            raise
        reason = f"{' and '.join(file.name for file in files)} cannot be read: {error}"
        return NotRun(published.name, published.expected, published.origin, reason)
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


def tokenbench_of_black_and_white(files: Sequence[Path], device: str) -> float:
    """Return TokenBench's rFVD of 8 black videos of 50 frames against 8 white ones."""
    extractor = create(read("tokenbench-rfvd").features, device=device, weights={}, progress=lambda done, total: None)
    black = np.zeros((50, 64, 64, 3), np.uint8)
    real, fake = (np.repeat(features, 8, axis=0) for features in extractor([black, black + 255]))
    return frechet_distance(real, fake, ddof=1)


_SEED, _IMAGES = 13579, 512
"""How dgm-eval draws images of a set, and how many of them its example takes."""


def of_cifar10(distance: Callable[[np.ndarray, np.ndarray], float], files: Sequence[Path], device: str) -> float:
    """Return what a metric says of 512 training images of CIFAR-10, as real ones, and 512 test images."""
    return distance(*_features_of_cifar10(files[0], device))


@functools.cache  # of three numbers
def _features_of_cifar10(file: Path, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of DINOv2, float32 [512, 1024] each."""
    extractor = create(read("dgm-eval-dinov2").features, device=device, weights={}, progress=lambda done, total: None)
    sets = []
    with tarfile.open(file) as archive:
        for names in ([f"data_batch_{number}" for number in range(1, 6)], ["test_batch"]):
            images = np.concatenate([_batch(archive, f"cifar-10-batches-bin/{name}.bin") for name in names])
            chosen = np.random.RandomState(_SEED).choice(len(images), _IMAGES, replace=False)
            sets.append(images[np.sort(chosen)])
    real, fake = extractor(sets)
    return real, fake


def _batch(archive: tarfile.TarFile, name: str) -> NDArray[np.uint8]:
    """Return the images [N, 32, 32, 3] of a file, in which each has a byte for its class before it."""
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} in it is no file")
    records = np.frombuffer(member.read(), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


_CIFAR10 = {"cifar-10-binary.tar.gz": "the page of CIFAR-10"}
_DGM_EVAL = "README of layer6ai-labs/dgm-eval: 512 training against 512 test images of CIFAR-10"


def _image(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


PUBLISHED = (
    Published(
        "rFVD of black against white by TokenBench",
        expected=232.7575,
        tolerance=0.025,
        origin="docstring of NVlabs/TokenBench, token_bench/fvd.py, made on a GPU",
        weights="i3d-kinetics-400",
        files={},
        found=tokenbench_of_black_and_white,
    ),
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
    *(
        Published(name, expected, tolerance, _DGM_EVAL, "dinov2-l", _CIFAR10, partial(of_cifar10, distance))
        for name, expected, tolerance, distance in (
            ("FD on DINOv2 of CIFAR-10", 862.53745, 0.5, partial(frechet_distance, ddof=1)),
            ("density on DINOv2 of CIFAR-10", 0.97969, 5e-3, density),
            ("coverage on DINOv2 of CIFAR-10", 0.94141, 5e-3, coverage),
        )
    ),
    *(
        Published(name, expected, 0.0, _DGM_EVAL, "", {}, None, why)
        for name, expected, why in (
            ("precision on DINOv2 of CIFAR-10", 0.90430, "it counts 5 neighbours, and here 3, as its paper does"),
            ("recall on DINOv2 of CIFAR-10", 0.91797, "it counts 5 neighbours, and here 3, as its paper does"),
            ("KD on DINOv2 of CIFAR-10", 0.01095, "it is a mean over subsets that are drawn, and here of all images"),
        )
    ),
    *(
        Published(
            "FVD on VideoMAE-v2 of content-debiased FVD's example videos",
            expected=expected,
            tolerance=1e-3,
            origin="songweige/content-debiased-fvd issue 2",
            weights="",
            files={},
            found=None,
            why="its clips are drawn by PyTorch's generator in the original, which nothing here follows",
        )
        for expected in (1064.6156430306792, 3383.9670431314958)
    ),
)
