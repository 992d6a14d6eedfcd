"""Networks that are laid out without memory, as those with memory are."""

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from stylegan_v.baselines import registry
from stylegan_v.networks.shapes import shapes_alone

METHODS = (*registry.MODULES, *registry.VARIANTS)

_DESCRIBE_ALL = """
import sys
from stylegan_v.baselines import registry
for name in (*registry.MODULES, *registry.VARIANTS):
    registry.describe(registry.method(name).configure())
print("torch._dynamo" in sys.modules)
"""


def made() -> list[Tensor]:
    """What networks begin with, in all types and orders of arguments."""
    line, plane = torch.arange(3, dtype=torch.float64), torch.ones(2, 1)
    return [
        *(line, torch.arange(4), torch.eye(2, 3)),
        *(line / 2, 2.0 / line, 2.0**line, 2 * line, plane * line, 1.0 + line, line + line),
        *(torch.arange(4) * 2, torch.arange(4) / 2, torch.arange(4) * plane),  # which are left to PyTorch
        *(nn.init.normal_(plane, 0.0, 0.02), torch.empty(3, 2).normal_(), line[:, None].float() * math.pi),
    ]


def test_arithmetic_has_the_shapes_and_types_that_it_has_elsewhere() -> None:
    with shapes_alone():
        found = made()

    assert all(tensor.is_meta for tensor in found)
    assert [(tensor.shape, tensor.dtype) for tensor in found] == [(tensor.shape, tensor.dtype) for tensor in made()]


@pytest.mark.parametrize("name", METHODS)
def test_networks_have_the_tensors_that_they_have_elsewhere(name: str) -> None:
    method = registry.method(name)
    config = method.configure("tiny")
    for make in method.makers().values():
        with shapes_alone():
            found = make(config).state_dict(keep_vars=True)

        assert all(tensor.is_meta for tensor in found.values())
        expected = make(config).state_dict(keep_vars=True)
        assert [(key, tensor.shape, tensor.dtype, tensor.requires_grad) for key, tensor in found.items()] == [
            (key, tensor.shape, tensor.dtype, tensor.requires_grad) for key, tensor in expected.items()
        ]


def test_numbers_are_drawn_as_ever_afterwards() -> None:
    with shapes_alone():
        nn.Linear(2, 3)

    assert torch.ones(2).div(2).tolist() == [0.5, 0.5]


def test_no_method_needs_the_compiler_to_be_described() -> None:
    """PyTorch's own arithmetic on shapes loads it, for which `stylegan-v info` took two seconds more."""
    program = [sys.executable, "-c", _DESCRIBE_ALL]

    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout == "False\n"
