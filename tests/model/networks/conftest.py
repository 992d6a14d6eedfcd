"""The official networks' numbers, the networks that are to give them, and how closely.

goldens.json holds what the official networks gave for parameters filled by a rule and inputs drawn by another, and
how closely an independent implementation can agree in float32.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stylegan_v.checkpoints.official_names import DISCRIMINATOR, GENERATOR, official_names
from stylegan_v.networks.config import model_config
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator
from stylegan_v.networks.motion import Noise

GOLDENS: dict[str, Any] = json.loads((Path(__file__).parent / "goldens.json").read_text("utf-8"))
OUTPUTS: dict[str, Any] = GOLDENS["outputs"]
FLOAT64_ROUNDING = {"absolute": 1e-11, "relative": 1e-9}
TIMES_G = [[0, 5, 20], [3.5, 7.25, 33]]
TIMES_D = [[0, 5, 20], [3, 4, 35]]


def draw(seed: int, *shape: int) -> Tensor:
    return torch.tensor(np.random.RandomState(seed).randn(*shape).astype(np.float32))


def draw_uniform(seed: int, *shape: int) -> Tensor:
    return torch.tensor(np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32))


def stored_noise(sequences: Tensor) -> Noise:
    """Noise of stored sequences, [B, L, noise_dim]. Tokens from L on raise IndexError."""
    rows = torch.arange(len(sequences))[:, None]
    return lambda tokens: sequences[rows, tokens]


def fill(network: nn.Module, table: tuple[tuple[str, str], ...], recipe: list[Any]) -> None:
    """Parameters by name: normal numbers seeded by the official name, scaled and shifted."""
    ours = official_names(network, table)
    parameters = dict(network.named_parameters())
    assert {row[0] for row in recipe} == {name for name in ours if ours[name] in parameters}
    for name, shape, scale, offset, first in recipe:
        values = draw(zlib.crc32(name.encode()) & 0xFFFFFFFF, *shape).numpy() * np.float32(scale)
        if offset:
            values = values + np.float32(offset)
        assert values.flat[0] == pytest.approx(first, rel=1e-6)
        parameter = parameters[ours[name]]
        assert tuple(parameter.shape) == tuple(shape), name
        parameter.data = torch.tensor(values)


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


double_is_slow = pytest.mark.parametrize(
    "dtype",
    [pytest.param(torch.float64, id="float64", marks=pytest.mark.slow), pytest.param(torch.float32, id="float32")],
    indirect=True,
    scope="module",
)
"""For tests whose like in float64 runs in others: PyTorch's convolutions of that type take minutes."""


@pytest.fixture(scope="module")
def filled_generator() -> Generator:
    """In float32, for every type: filling it takes a second."""
    network = Generator(model_config("release", resolution=64))
    fill(network, GENERATOR, GOLDENS["fill"]["G"])
    return network


@pytest.fixture(scope="module")
def filled_discriminator() -> Discriminator:
    network = Discriminator(model_config("release", resolution=64))
    fill(network, DISCRIMINATOR, GOLDENS["fill"]["D"])
    return network


@pytest.fixture(scope="module")
def generator(dtype: torch.dtype, filled_generator: Generator) -> Generator:
    network = copy.deepcopy(filled_generator).to(dtype)
    if dtype == torch.float64:
        periods = 16 * 64 ** (torch.arange(255, -1, -1, dtype=dtype) / 255)
        network.motion.encoding.frequencies, network.motion.encoding.phase_scales = 2 * np.pi / periods, 1024 / periods
    return network


@pytest.fixture(scope="module")
def discriminator(dtype: torch.dtype, filled_discriminator: Discriminator) -> Discriminator:
    network = copy.deepcopy(filled_discriminator).to(dtype)
    if dtype == torch.float64:
        network.time.frequencies = 2 ** torch.arange(10, dtype=dtype) * np.pi / 1024
    return network


class Checker:
    """Compares tensors with recorded statistics, within the tolerance of a quantity."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, found: object, expected: object, quantity: str) -> None:
        limits = GOLDENS["tolerances"][quantity]
        mode, tolerance = limits["mode"], limits["float32"]
        if self.dtype == torch.float64:
            # `constants`: how far the official numbers moved when the frequencies were not rounded to float32, which
            # is what they are compared with here.
            tolerance = max(FLOAT64_ROUNDING[mode], 1.5 * limits["constants"])
        values = found.detach().double().numpy() if isinstance(found, Tensor) else np.asarray(found, dtype=float)
        if mode == "absolute":
            np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance, err_msg=quantity)
        else:
            np.testing.assert_allclose(values, expected, rtol=tolerance, atol=0, err_msg=quantity)

    def statistics(self, tensor: Tensor, expected: dict[str, Any], quantity: str) -> None:
        values = tensor.detach().double()
        measures: dict[str, Callable[[Tensor], Tensor]] = {
            "mean": Tensor.mean,
            "std": lambda x: x.std(correction=0),
            "min": Tensor.min,
            "max": Tensor.max,
            "absmax": lambda x: x.abs().max(),
            "rms": lambda x: x.square().mean().sqrt(),
            "first4": lambda x: x.flatten()[:4],
            "last4": lambda x: x.flatten()[-4:],
            "shape": lambda x: torch.tensor(x.shape),
        }
        assert {"mean", "std"} <= expected.keys()
        for name, measure in measures.items():
            if name in expected:
                self(measure(values), expected[name], quantity)
        for place in expected.get("at", []) if isinstance(expected.get("at"), list) else []:
            self(values[tuple(place["pos"])], place["value"], quantity)


@pytest.fixture(scope="module")
def check(dtype: torch.dtype) -> Checker:
    return Checker(dtype)


@pytest.fixture(scope="module")
def inputs(dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        "z": draw(1, 2, 512).to(dtype),
        "noise": draw(2, 2, 86, 512).to(dtype),
        "times": torch.tensor(TIMES_G, dtype=dtype),
        "x": draw_uniform(3, 6, 3, 64, 64).to(dtype).unflatten(0, (2, 3)),
        "times_d": torch.tensor(TIMES_D, dtype=dtype),
    }


def outputs_of(network: nn.Module, *modules: str) -> tuple[dict[str, Tensor], Any]:
    """A dictionary that is filled with the outputs of modules at the next call, and the hooks to remove."""
    seen: dict[str, Tensor] = {}

    def keep(name: str):
        return lambda module, args, output: seen.__setitem__(name, output)

    return seen, [network.get_submodule(name).register_forward_hook(keep(name)) for name in modules]
