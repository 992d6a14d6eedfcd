"""MoCoGAN-HD's pair: parameters and sizes of maps as published, and what it sees."""

from __future__ import annotations

import pytest
import torch

from stylegan_v.studies.discriminator_pair import Pair, build_pair

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def laid_out() -> Pair:
    with torch.device("meta"):
        return build_pair()


def test_parameters(laid_out: Pair) -> None:
    counts = [sum(p.numel() for p in part.parameters()) for part in (laid_out.image, laid_out.video)]

    assert counts == [5_535_618, 22_136_706]


@pytest.mark.parametrize("side", [128, 256])
def test_maps(laid_out: Pair, side: int) -> None:
    frames = torch.empty(2, 16, 3, side, side, device="meta")

    assert [tuple(x.shape) for x in laid_out.clips(frames)] == [(2, 1, 5, 19, 19), (2, 1, 5, 11, 11)]
    assert [tuple(x.shape) for x in laid_out.pairs(frames)] == [(30, 1, 19, 19), (30, 1, 11, 11)]


def test_every_frame_is_seen_beside_the_first() -> None:
    pair = build_pair(seed=1)
    frames = torch.rand(1, 3, 3, 32, 32)
    with torch.no_grad():
        found = pair.pairs(frames)[0]
        alone = pair.image(torch.cat([frames[:, 0], frames[:, 2]], dim=1))[0]

    torch.testing.assert_close(found[1:], alone)


def test_parameters_depend_on_the_seed_alone() -> None:
    state = torch.get_rng_state()
    first, second, third = (next(build_pair(seed=seed).image.parameters()) for seed in (0, 0, 1))

    assert torch.equal(first, second) and not torch.equal(first, third)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.std().item() == pytest.approx(0.02, rel=0.05)
