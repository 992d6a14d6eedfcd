"""Maxima one axis after the other are torch's own, to the last bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from fvd_bench.networks.pooling import max_pool_3


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("shape", [(2, 5, 4, 6, 7), (1, 3, 1, 2, 3), (3, 2, 2, 1, 1)])
def test_maxima_are_those_of_the_cube_around_each_place(shape, layout) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    before = x.clone()

    pooled = max_pool_3(x)

    assert torch.equal(pooled, F.max_pool3d(x, 3, stride=1, padding=1))
    assert torch.equal(x, before)


def test_what_is_not_a_number_is_kept() -> None:
    x = torch.zeros(1, 1, 5, 5, 5)
    x[0, 0, 0, 4, 2] = torch.nan

    assert torch.equal(max_pool_3(x).isnan(), F.max_pool3d(x, 3, stride=1, padding=1).isnan())
