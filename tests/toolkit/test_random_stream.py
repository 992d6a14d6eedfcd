"""Draws that are written down here, so that no version of NumPy can change them, and NumPy's own beside them."""

import hashlib
import random

import numpy as np
import pytest

from fvd_bench.random_stream import RandomStream

LIMITS = (2, 3, 61, 10**4, 3 * 2**30, 2**32 - 1, 2**32)
"""A quarter of the numbers is tried again below 3 · 2³⁰."""


def test_draws_are_those_that_are_written_down() -> None:
    assert [RandomStream(3, 5).below(n) for n in (1, 2, 45, 100, 1000, 2**31 + 1, 2**32)] == [
        *(0, 0, 1, 2, 23, 51439671, 102879343)
    ]
    assert RandomStream(0, 0, 3).permutation(np.arange(12)).tolist() == [9, 8, 1, 3, 10, 0, 4, 6, 5, 11, 7, 2]
    np.testing.assert_allclose(RandomStream(0).uniform((3,)), [0.27392337, -0.46042657, -0.91805295], atol=1e-8)


def test_many_draws_have_the_digest_that_is_written_down() -> None:
    """2,100 numbers and 300 orders; computed by NumPy 2.4's Generator, not by what is tested."""
    digest = hashlib.sha256()
    for seed in range(300):
        stream = RandomStream(seed, 2 * seed, seed % 5)
        digest.update(repr([stream.below(limit) for limit in LIMITS]).encode())
        digest.update(repr(stream.permutation(np.arange(seed)).tolist()).encode())

    assert digest.hexdigest() == "1608701037f4d8f903f9bcd0ad66dd36b6a84b1c197f6426d02d15391b6d8360"


def test_numpy_draws_the_same() -> None:
    """As long as it does, which it does not promise: a failure here is NumPy's change, and none of our draws."""
    choose = random.Random(0)
    for _ in range(1000):
        seed = [choose.randrange(2 ** choose.choice([3, 32, 64])) for _ in range(choose.randrange(1, 4))]
        numpy, ours = np.random.default_rng(seed), RandomStream(*seed)
        for limit in (choose.choice(LIMITS), choose.randrange(1, 1000), choose.randrange(1, 2**32)):
            assert ours.below(limit) == numpy.integers(0, limit), (seed, limit)
        items = 7 + 3 * np.arange(choose.randrange(40))
        np.testing.assert_array_equal(ours.permutation(items), numpy.permutation(items))
    np.testing.assert_array_equal(RandomStream(3).uniform((7, 5)), np.random.default_rng(3).uniform(-1, 1, (7, 5)))


def test_every_order_is_equally_likely() -> None:
    orders = [tuple(RandomStream(seed).permutation(np.arange(3)).tolist()) for seed in range(6000)]

    counts = [orders.count(order) for order in set(orders)]

    assert len(counts) == 6
    assert all(abs(count - 1000) < 4 * np.sqrt(1000 * 5 / 6) for count in counts)  # 4 standard deviations


@pytest.mark.parametrize("limit", [0, -1, 2**32 + 1])
def test_a_limit_out_of_range_is_a_mistake(limit: int) -> None:
    with pytest.raises(AssertionError):
        RandomStream(0).below(limit)
