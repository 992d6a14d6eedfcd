"""A network that takes more clips before it is done with the last ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from fvd_bench.errors import NetworkError
from fvd_bench.networks.extractor import TorchExtractor
from fvd_bench.networks.network import Network
from fvd_bench.protocols.rules import FeatureRule, Resize
from fvd_bench.videos.video import Pixels

RULE = FeatureRule(extractor="means", resize=Resize(size=16, kernel="bilinear"))


def extractor(device: str, sees: str = "clips") -> TorchExtractor:
    """The mean colours of clips, or of frames."""
    network = Network(name="means", create=None, layers={"logits": 3}, sees=sees)  # type: ignore[arg-type]
    dims = (2, 3, 4) if sees == "clips" else (2, 3)
    return TorchExtractor(lambda x: x.mean(dims), RULE, network, device=device, weights={}, batch_frames=4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("sees", ["clips", "frames"])
def test_batches_that_were_begun_together_keep_their_features(
    device: str, sees: str, moving_frames: Callable[..., Pixels]
) -> None:
    network = extractor(device, sees)
    batches = [[moving_frames(2, seed=3 * batch + place) for place in range(3)] for batch in range(4)]

    expected = [network(clips) for clips in batches]
    begun = [network.begin(clips) for clips in batches]

    for wait, features in zip(begun[::-1], expected[::-1], strict=True):
        np.testing.assert_array_equal(wait(), features)
    assert [part.shape for part in expected[0]] == 3 * [(1, 3) if sees == "clips" else (2, 3)]
    assert len(np.unique(np.concatenate([np.concatenate(features) for features in expected]), axis=0)) >= 12


def test_what_a_module_gives_is_checked_when_it_begins(moving_frames: Callable[..., Pixels]) -> None:
    network = extractor("cpu")
    network._module = lambda x: x.mean((2, 3, 4)).double()

    with pytest.raises(NetworkError, match=r"means gives float64 \[2, 3\]"):
        network.begin([moving_frames(2)])


@pytest.mark.gpu
def test_beginning_waits_for_nothing_on_a_gpu(moving_frames: Callable[..., Pixels]) -> None:
    network = extractor("cuda")
    network([moving_frames(2)])  # memory and kernels are there
    torch.cuda.set_sync_debug_mode("error")
    try:
        wait = network.begin([moving_frames(2)])
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert wait()[0].shape == (1, 3)
