"""Random integers and permutations that are the same under every version of NumPy.

NumPy guarantees that a seed always gives the same words of PCG64. It lets releases change what Generator makes of the
words, and which words default_rng takes (its manual, "Compatibility policy"). So both are done here, by the rules that
Generator.integers, permutation and uniform follow in NumPy 1.26 to 2.5.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_WORDS_AT_A_TIME = 64


class RandomStream:
    """An independent stream for each seed, equal to that of `numpy.random.default_rng(seed)`.

    seed: one or more whole numbers of 0 or more.
    """

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))
        self._halves = self._read_halves()

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1, each equally likely. limit: 1 to 2³².

        D. Lemire, Fast random integer generation in an interval, 2019: it is the upper half of a product of 64 bits,
        unless the lower half is one of the few that would make some numbers likelier than others.
        """
        assert 0 < limit <= 2**32
        if limit == 1:
            return 0  # no word is read
        while True:
            product = next(self._halves) * limit
            if product % 2**32 >= 2**32 % limit:
                return product >> 32

    def permutation(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items [N] in an order, each of which is equally likely (R. Durstenfeld, Algorithm 235, 1964)."""
        order = items.tolist()
        for last in range(len(order) - 1, 0, -1):
            mask = 2 ** last.bit_length() - 1
            while (other := next(self._halves) & mask) > last:
                pass
            order[last], order[other] = order[other], order[last]
        return np.array(order, dtype=np.int64)

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return numbers in [-1, 1) with 53 bits, each from a whole word. Nothing else may be read from the same
        stream."""
        words = self._bits.random_raw(int(np.prod(shape)))
        numbers: NDArray[np.float64] = (words >> 11).astype(np.float64) * 2.0**-52 - 1.0
        return numbers.reshape(shape)

    def _read_halves(self) -> Iterator[int]:
        """Yield numbers of 32 bits, the lower half of each word before its upper half."""
        while True:
            for word in self._bits.random_raw(_WORDS_AT_A_TIME).tolist():
                yield word & 0xFFFFFFFF
                yield word >> 32
