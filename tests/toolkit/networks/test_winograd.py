"""Convolutions with few products, held to direct sums in float64."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fvd_bench.networks.convolution import StridedConvolution, TiledConvolution
from fvd_bench.networks.winograd import TILE, transforms

THREADS = (1, 2, 8, 50)  # more than there are products too


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def folded(outputs: int, inputs: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A kernel whose sums have the size of their input, and a bias."""
    kernel = random(outputs, inputs, size, size, size, seed=1) / (inputs * size**3) ** 0.5
    return kernel, random(outputs, seed=2)


@pytest.mark.parametrize("taps", [3, 4])
def test_transforms_make_a_correlation(taps) -> None:
    outward, of_kernel, inward = transforms(taps)
    signal, kernel = np.random.default_rng(0).normal(size=TILE + taps - 1), np.random.default_rng(1).normal(size=taps)

    made = outward @ ((of_kernel @ kernel) * (inward @ signal))

    np.testing.assert_allclose(made, np.correlate(signal, kernel, "valid"), atol=1e-13)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((2, 32, 4, 8, 12), id="whole tiles"),
        pytest.param((1, 5, 3, 9, 14), id="tiles cut at the end"),
        pytest.param((1, 3, 1, 1, 2), id="smaller than a tile"),
        pytest.param((1, 2, 37, 4, 5), id="more steps than go through together"),
        pytest.param((1, 2, 2, 70, 9), id="several strips"),
    ],
)
def test_a_tiled_convolution_is_the_direct_one(shape) -> None:
    x = random(*shape, seed=0)
    kernel, bias = folded(7, shape[1], 3)

    found = TiledConvolution((kernel, bias))(x)

    assert_near(found, F.conv3d(x.double(), kernel.double(), bias.double(), padding=1))


@pytest.mark.parametrize("pads", [((2, 3), (2, 3), (2, 3)), ((3, 3), (3, 3), (2, 3)), ((0, 0), (0, 0), (0, 0))])
@pytest.mark.parametrize("size", [(16, 32, 24), (9, 17, 40), (40, 8, 10)])
def test_a_strided_convolution_is_the_direct_one(size, pads) -> None:
    x = random(2, 3, *size, seed=0)
    kernel, bias = folded(4, 3, 7)

    found = StridedConvolution((kernel, bias))(x, pads)

    padded = F.pad(x.double(), [zeros for pair in reversed(pads) for zeros in pair])
    assert_near(found, F.conv3d(padded, kernel.double(), bias.double(), stride=2))


def assert_near(found: torch.Tensor, exact: torch.Tensor) -> None:
    """Hold a result in float32, whose values are near 1, to direct sums in float64.

    A float32 is rounded by up to 6e-8 of it. Direct sums in float32 are off by 1e-7 to 1e-6 here, and these by up to
    five times as much where there are few products.
    """
    assert found.shape == exact.shape
    assert found.dtype == torch.float32
    assert (found - exact).square().mean().sqrt() < 3e-6


def test_no_number_of_threads_moves_a_digit() -> None:
    """By the library's usual way to add up, and by the one that it has where it may not choose."""
    program = (
        "import torch\n"
        "from tests.toolkit.networks.test_winograd import *\n"
        f"for threads in {THREADS}:\n"
        "    torch.set_num_threads(threads)\n"
        "    tiled = TiledConvolution(folded(40, 32, 3))(random(1, 32, 4, 25, 25, seed=0))\n"
        "    strided = StridedConvolution(folded(40, 3, 7))(random(1, 3, 16, 31, 30, seed=0))\n"
        "    print(hash((tiled.numpy().tobytes(), strided.numpy().tobytes())), torch.get_num_threads())\n"
    )
    for way in ("AUTO", "COMPATIBLE"):
        environment = {**os.environ, "MKL_CBWR": way, "MKL_DYNAMIC": "FALSE", "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
        )
        digests, threads = zip(*(line.split() for line in done.stdout.splitlines()), strict=True)
        assert len(set(digests)) == 1, way
        assert threads == tuple(map(str, THREADS))
