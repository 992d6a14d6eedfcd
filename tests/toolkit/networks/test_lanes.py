"""Micro-batches side by side: in order, each on its share of the threads, and of the same digits as one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from fvd_bench.networks import create
from fvd_bench.networks.lanes import Lanes
from fvd_bench.protocols.rules import FeatureRule, Resize


@pytest.fixture
def threads() -> Iterator[int]:
    """Five threads, whatever this machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(5)
    yield 5
    torch.set_num_threads(before)


def test_each_item_has_a_lane_and_its_share_of_the_threads(threads: int) -> None:
    """Two meet, so that they run at once, and no third one with them."""
    both, running, most = threading.Barrier(2, timeout=60), [], []

    def work(item: int) -> tuple[int, int, bool]:
        running.append(item)
        both.wait()
        most.append(len(running))
        both.wait()
        running.remove(item)
        return item, torch.get_num_threads(), torch.is_inference_mode_enabled()

    assert Lanes(2).count == 2
    assert Lanes(2).map(work, range(6)) == [(item, threads // 2, True) for item in range(6)]
    assert max(most) == 2


def test_where_there_is_one_item_it_has_all_threads(threads: int) -> None:
    lanes = Lanes(8)

    found = lanes.map(lambda item: (torch.get_num_threads(), threading.current_thread()), [0])

    assert (lanes.count, lanes.map(lambda item: item, [])) == (threads, [])
    assert found == [(threads, threading.current_thread())]


@pytest.mark.parametrize("fails", [False, True])
def test_torch_has_its_threads_again_afterwards(threads: int, fails: bool) -> None:
    """In threads that come later, too. What goes wrong is raised once nothing runs any more."""
    ended: list[int] = []

    def work(item: int) -> None:
        if fails and item == 0:
            raise ValueError("the first item")
        ended.append(item)

    if fails:
        with pytest.raises(ValueError, match="the first item"):
            Lanes(3).map(work, range(9))
    else:
        Lanes(3).map(work, range(9))

    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert sorted(ended) == list(range(fails, 9))
    assert (torch.get_num_threads(), later) == (threads, [threads])


def test_the_features_of_a_clip_are_the_same_bits_in_any_number_of_lanes(moving_frames) -> None:
    rule = FeatureRule(extractor="i3d", layer="pool", resize=Resize(size=64))
    extractor = create(rule, device="cpu", weights={}, progress=lambda done, total: None)
    clips = [moving_frames(9, seed=seed) for seed in range(10)]  # three micro-batches, and one that is padded
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            assert extractor.batch_clips(9) == 3 * threads
            found.append(np.stack(extractor(clips)))
    finally:
        torch.set_num_threads(before)

    assert extractor.batch_clips(300) == 1  # long clips take much memory, so they go one by one
    assert found[0].shape == (10, 1, 1024)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
