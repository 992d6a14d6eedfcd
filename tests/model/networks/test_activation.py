"""The activation against its definition, and its derivatives against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.activation import activate


@pytest.mark.parametrize("limit", [None, 1.0])
def test_activation_and_its_derivatives(limit: float | None) -> None:
    x = torch.linspace(-3, 3, 20, dtype=torch.float64).reshape(4, 5)  # 0 is not among them

    def function(x: Tensor) -> Tensor:
        return activate(x, gain=1.5, limit=limit)

    expected = functional.leaky_relu(x, 0.2) * 1.5
    torch.testing.assert_close(function(x), expected if limit is None else expected.clamp(-limit, limit))
    assert torch.autograd.gradcheck(function, x.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x: function(x).square(), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_nothing_is_learned_through_the_clamp(dtype: torch.dtype) -> None:
    x = torch.tensor([-2000.0, -900.0, 100.0, 300.0], dtype=dtype, requires_grad=True)

    y = activate(x, gain=1.0, limit=181.02)
    y.sum().backward()

    assert y[-1] == torch.tensor(181.02, dtype=dtype)
    assert x.grad.tolist() == [0, pytest.approx(0.2, rel=0.01), 1, 0]
