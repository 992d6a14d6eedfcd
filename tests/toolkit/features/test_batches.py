"""The thread that networks run in, beside the one that gathers clips and stores features."""

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from fvd_bench.errors import FeatureError, NetworkError
from fvd_bench.features import batches as batches_module
from fvd_bench.features.batches import Batches
from fvd_bench.features.store import FeatureStore
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.clips import Draw, DrawEnd, DrawnClip

RULE = FeatureRule(extractor="i3d")
DRAW = Draw(load("stylegan-v-fvd16").fake, "fake", 0)


class OneByOne:
    """A network that sees one clip at a time, when it is let. A feature is the clip's grey level."""

    dim, weights, unverified = 400, {}, ()

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.done: list[int] = []

    def batch_clips(self, frames: int) -> int:
        return 1

    def __call__(self, clips):
        assert self.let.acquire(timeout=10)
        level = int(clips[0].flat[0])
        self.done.append(level)
        if level == 13:
            raise FeatureError("13 is refused")
        if level == 99:
            raise NetworkError("the network is broken")
        return [np.full((1, self.dim), level, dtype=np.float32)]


class Ahead(OneByOne):
    """A network of two levels, 1 and 2, that gives features of the first once it was handed the second."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = {1: threading.Event(), 2: threading.Event()}

    def begin(self, clips):
        level = int(clips[0].flat[0])
        self.begun[level].set()

        def features():
            assert self.begun[2].wait(timeout=10)
            return [np.full((1, self.dim), level, dtype=np.float32)]

        return features


class ManyAtOnce(OneByOne):
    """A network that sees eight clips at a time. What is noted is how many it saw."""

    def batch_clips(self, frames: int) -> int:
        return 8

    def __call__(self, clips):
        self.done.append(len(clips))
        return [np.full((1, self.dim), clip.flat[0], dtype=np.float32) for clip in clips]


@contextlib.contextmanager
def running(network: OneByOne) -> Iterator[tuple[Batches, FeatureStore]]:
    with (
        contextlib.closing(FeatureStore(None)) as store,
        contextlib.closing(Batches(store, {RULE: network})) as batches,
    ):
        yield batches, store


def add(batches: Batches, *levels: int) -> None:
    """Add videos of one clip each, whose names and keys are their levels."""
    for level in levels:
        images = np.full((16, 2, 2, 3), level, dtype=np.uint8)
        batches.add(str(level), str(level), RULE, DrawnClip(DRAW, images, bytes([level]), (), 0, 0, None, None))
        batches.add(str(level), str(level), RULE, DrawEnd(DRAW, num_frames=16))


def test_a_batch_is_gathered_while_the_network_runs_on_the_last_one() -> None:
    network = OneByOne()
    with running(network) as (batches, store):
        add(batches, 1)  # would wait for the network for ever if it ran here

        assert network.done == [] and store.get("1") is None
        network.let.release(3)
        add(batches, 2, 3)
        assert store.get("1").features[0, 0] == 1
        batches.flush()
        assert network.done == [1, 2, 3]
        assert [store.get(str(level)).features[0, 0] for level in (1, 2, 3)] == [1, 2, 3]


def test_a_network_has_its_next_batch_before_features_of_the_last_are_waited_for() -> None:
    with running(Ahead()) as (batches, store):
        add(batches, 1, 2)
        batches.flush()

        assert [store.get(str(level)).features[0, 0] for level in (1, 2)] == [1, 2]


def test_clips_that_are_large_do_not_wait_for_a_full_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "_MOST_WAITING_BYTES", 2 * 16 * 2 * 2 * 3)
    network = ManyAtOnce()
    with running(network) as (batches, store):
        add(batches, 1, 2, 3)
        batches.flush()

        assert network.done == [2, 1]
        assert [store.get(str(level)).features[0, 0] for level in (1, 2, 3)] == [1, 2, 3]


def test_no_network_runs_on_after_an_error_elsewhere() -> None:
    network = OneByOne()
    threading.Timer(0.05, network.let.release).start()

    with pytest.raises(ZeroDivisionError), running(network) as (batches, _):
        add(batches, 1)
        raise ZeroDivisionError

    assert network.done == [1]


def test_an_equal_clip_waits_for_the_features_of_the_one_that_runs() -> None:
    network = OneByOne()
    with running(network) as (batches, store):
        clip = DrawnClip(DRAW, np.full((16, 2, 2, 3), 7, dtype=np.uint8), b"7", (), 0, 0, None, None)
        for key in ("first", "second"):
            batches.add(key, "one video", RULE, clip)
            batches.add(key, "one video", RULE, DrawEnd(DRAW, num_frames=16))
        network.let.release(2)
        batches.flush()

        assert network.done == [7]
        assert store.get("first").features[0, 0] == store.get("second").features[0, 0] == 7


def test_a_video_stays_refused_whatever_its_later_clips_are() -> None:
    network = OneByOne()
    network.let.release(9)
    with running(network) as (batches, store):
        for key in ("first", "second"):  # the second has the features of its first clip at once
            for level in (13, 7):
                images = np.full((16, 2, 2, 3), level, dtype=np.uint8)
                clip = DrawnClip(DRAW, images, bytes([level]), (), 0, 0, None, None)
                batches.add(key, "one video", RULE, clip)
            batches.add(key, "one video", RULE, DrawEnd(DRAW, num_frames=16))
        batches.flush()

        assert network.done == [13, 7]
        assert [batches.facts[key].skipped for key in ("first", "second")] == ["13 is refused"] * 2
        assert store.get("first") is store.get("second") is None


def test_what_goes_wrong_in_the_thread_is_told_of_its_own_batch() -> None:
    network = OneByOne()
    network.let.release(9)
    with running(network) as (batches, store):
        add(batches, 12, 13, 14)
        batches.flush()

        assert [batches.facts[str(level)].skipped for level in (12, 13, 14)] == [None, "13 is refused", None]
        assert store.get("13") is None
    with running(network) as (batches, _), pytest.raises(NetworkError, match="the network is broken"):
        add(batches, 99)
        batches.flush()
