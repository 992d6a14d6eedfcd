"""Student's t distribution for whole degrees of freedom, whose probabilities are finite sums.

SciPy has it too, and takes longer to load than comparing two results does.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_HALVINGS = 60
"""More than a float has binary digits."""


_MOST_FREEDOM = 10**6
"""More degrees of freedom move a value by less than a hundred thousandth of it, and take memory."""


@lru_cache(maxsize=256)
def quantile(freedom: int, tail: float) -> float:
    """Return the value that is exceeded with a probability of `tail`. freedom: degrees of freedom, 1 or more.

    tail: 0 to 0.5, both excluded.
    """
    freedom = min(freedom, _MOST_FREEDOM)
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _within(freedom, middle) < 1 - 2 * tail:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(high)


def _within(freedom: int, angle: float) -> float:
    """Return the probability of values between -t and t, for t = √freedom · tan(angle).

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
    """
    sine, square = math.sin(angle), math.cos(angle) ** 2
    is_odd = freedom % 2
    steps = np.arange(1, (freedom - is_odd) // 2) * 2.0
    terms = np.cumprod(square * (steps if is_odd else steps - 1) / (steps + 1 if is_odd else steps))
    total = 1.0 + float(np.sum(terms))
    if not is_odd:
        return sine * total
    return 2 / math.pi * (angle + (sine * math.cos(angle) * total if freedom > 1 else 0.0))
