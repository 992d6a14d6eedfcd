"""Random numbers by address: what is drawn depends on its key and place alone, not on what was drawn before.

The generator is Philox 4x32-10, which is counter-based (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
3"), in integer tensor operations, so that every device gives the same bits. A draw is addressed by seed, purpose,
sample (a video, or the number of a training sample), token (a place in that sample's sequence) and element. The
100,000th token of a video costs what the first one costs, and a batch can be split over processes in any way.
"""

from __future__ import annotations

import enum
import math

import numpy as np
import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


class Purpose(enum.IntEnum):
    """What random numbers are drawn for. Numbers of different purposes are independent."""

    CONTENT = 0
    MOTION = 1
    LABEL = 2
    AUGMENT_REAL = 3
    AUGMENT_FAKE = 4
    REAL_TIMES = 5
    FAKE_TIMES = 6


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int | Tensor]) -> tuple[Tensor, ...]:
    """Return four tensors of 32 random bits per element, int64, for counters and keys of 32-bit words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(_MULTIPLIERS[0], c0)
        high1, low1 = _multiply(_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def uniform(seed: int, purpose: Purpose | Tensor, samples: Tensor, tokens: Tensor | int, count: int) -> Tensor:
    """Draw uniform numbers inside (0, 1): float64 [..., count], on the device of the samples.

    samples: int64, not negative. tokens: 0 to 2^32 - 1, one or int64 of a shape that broadcasts with the samples.
    purpose: one for all, or int64 of such a shape.
    """
    bits = _bits(seed, purpose, samples, tokens, count)
    return (bits.to(torch.float64) + 0.5) * 2.0**-32


def normal(seed: int, purpose: Purpose | Tensor, samples: Tensor, tokens: Tensor | int, count: int) -> Tensor:
    """Draw standard normal numbers: float32 [..., count]. The arguments are those of `uniform`."""
    return box_muller(uniform(seed, purpose, samples, tokens, count + count % 2))[..., :count]


def box_muller(pairs: Tensor) -> Tensor:
    """Turn uniform numbers into as many standard normal ones (Box and Muller 1958): float32 [..., an even number]."""
    radius = torch.sqrt(-2.0 * torch.log(pairs[..., 0::2]))
    angle = 2.0 * math.pi * pairs[..., 1::2]
    values = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
    return values.flatten(-2).to(torch.float32)


def stream_seed(*key: int) -> int:
    """Return a seed for a stream of torch from numbers such as a run's seed, its step and the process.

    Streams are for noise that is too much to be drawn by address.
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _bits(seed: int, purpose: Purpose | Tensor, samples: Tensor, tokens: Tensor | int, count: int) -> Tensor:
    """Draw 32 random bits per element: int64 [..., count]."""
    places = tokens[..., None] if isinstance(tokens, Tensor) else tokens
    purposes = purpose[..., None] if isinstance(purpose, Tensor) else int(purpose)
    blocks = torch.arange(-(-count // 4), device=samples.device)
    samples = samples[..., None]
    zero = torch.zeros_like(samples + places + blocks)
    counter = (zero + blocks, zero + (places & _MASK), zero + (samples & _MASK), zero + (samples >> 32))
    key = (seed & _MASK, (((seed >> 32) & 0xFFFFFF) << 8) + purposes)
    return torch.stack(philox(counter, key), dim=-1).flatten(-2)[..., :count]


def _multiply(factor: int, value: Tensor) -> tuple[Tensor, Tensor]:
    """Return the high and the low 32 bits of a product of 32-bit words. int64 wraps around, but its bits are right."""
    product = value * factor
    return (product >> 32) & _MASK, product & _MASK
