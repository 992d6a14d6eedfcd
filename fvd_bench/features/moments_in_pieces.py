"""What is kept of the features of very many clips: their moments in pieces, and a sample of them.

It has one size however many clips there are: 1.3 MB a piece for features of 400 numbers. Pieces of several shards
together are those of the whole. Where a metric needs mean and covariance alone, leaving out one piece after the other
says how sure it is (delete-group jackknife, Shao and Tu 1995, chapter 2.3). Metrics that need each feature are computed
on the sample.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fvd_bench.features.moments import Moments, scatter_of
from fvd_bench.networks import Features

PIECES = 20
"""Pieces of a side that is not made in shards."""

MOST_PIECES = 40
"""Pieces of a side that was made in more shards: each is that of several shards."""

SAMPLE = 4096
"""The most features in a sample."""

_FOLD_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Pieces:
    """The moments of each piece, and a sample.

    sample: float32 [n, D], the features with the lowest ranks. ranks: uint64 [n], increasing: numbers that the contents
        of a video decide, so that whatever was made in whichever shards, the sample is the same.
    owners: int64 [n], a number of the video of each, since the features of one count as one in intervals.
    """

    moments: tuple[Moments, ...]
    sample: Features
    ranks: NDArray[np.uint64]
    owners: NDArray[np.int64]

    @classmethod
    def of(cls, videos: Iterable[tuple[str, Features]], *, seed: int, pieces: int = PIECES) -> Pieces | None:
        """Make them of the content digest and the features [rows, D] of each video. None where there are no features.

        The videos are spread over the pieces by their contents, since a listing may be periodic.
        """
        open_pieces = [_Open() for _ in range(pieces)]
        kept: list[tuple[int, int, Features]] = []
        worst = 2**64
        for content, features in videos:
            number = _rank(seed, content, -1)
            open_pieces[number % pieces].add(features)
            for row, feature in enumerate(features):
                if (rank := _rank(seed, content, row)) < worst:
                    kept.append((rank, number >> 1, feature))
            if len(kept) >= 2 * SAMPLE:
                kept = sorted(kept, key=lambda each: each[0])[:SAMPLE]
                worst = kept[-1][0]
        moments = tuple(found for piece in open_pieces if (found := piece.moments()) is not None)
        if not moments:
            return None
        kept = sorted(kept, key=lambda each: each[0])[:SAMPLE]
        ranks = np.array([rank for rank, _, _ in kept], dtype=np.uint64)
        owners = np.array([owner for _, owner, _ in kept], dtype=np.int64)
        return cls(moments, np.stack([feature for _, _, feature in kept]), ranks, owners)

    def joined(self, other: Pieces) -> Pieces:
        """Return the pieces of both."""
        ranks = np.concatenate([self.ranks, other.ranks])
        lowest = np.argsort(ranks, kind="stable")[:SAMPLE]
        sample = np.concatenate([self.sample, other.sample])[lowest]
        owners = np.concatenate([self.owners, other.owners])[lowest]
        return Pieces((*self.moments, *other.moments), sample, ranks[lowest], owners)

    def fewer(self, most: int) -> Pieces:
        """Return the same in at most so many pieces."""
        groups = (self.moments[first::most] for first in range(min(most, len(self.moments))))
        return replace(self, moments=tuple(functools.reduce(Moments.joined, group) for group in groups))

    @property
    def count(self) -> int:
        """The number of features behind them."""
        return sum(moments.count or 0 for moments in self.moments)

    def whole(self) -> Moments:
        """Return the moments of all pieces together."""
        return functools.reduce(Moments.joined, self.moments)

    def without(self, piece: int) -> Moments:
        """Return the moments of all pieces but one. There must be two or more."""
        return functools.reduce(Moments.joined, (*self.moments[:piece], *self.moments[piece + 1 :]))


class _Open:
    """A piece that is being made."""

    def __init__(self) -> None:
        self._moments: Moments | None = None
        self._waiting: list[Features] = []
        self._rows = 0

    def add(self, features: Features) -> None:
        self._waiting.append(features)
        self._rows += len(features)
        if self._rows >= _FOLD_ROWS:
            self._fold()

    def moments(self) -> Moments | None:
        if self._rows:
            self._fold()
        return self._moments

    def _fold(self) -> None:
        block = np.concatenate(self._waiting).astype(np.float64)
        mean, scatter = scatter_of(block)
        found = Moments(mean, scatter / len(block), len(block), 0)
        self._moments = found if self._moments is None else self._moments.joined(found)
        self._waiting, self._rows = [], 0


def _rank(seed: int, content: str, row: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{content}\0{row}".encode()).digest()[:8], "big")
