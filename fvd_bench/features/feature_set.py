"""The features of one side, as metrics see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fvd_bench.features.moments import Float64, Moments, add_scatter, scatter_of
from fvd_bench.features.moments_in_pieces import Pieces

_KEPT_VALUES = 2**26
"""Features are kept as float32 up to this many values (256 MiB). Beyond it only their moments are kept."""

_FOLD_ROWS = 4096

Parts = Iterator[tuple[int, NDArray[np.float32]]]
"""Videos and their features [rows, dim], in the order in which they were added."""


class FeatureSet:
    """The features of one side, added in a fixed order, or only the moments of some.

    All features are kept while they fit in 256 MiB. Beyond that they are folded into a mean and a centred scatter
    matrix in float64, so that memory stays the same however many there are.
    count: number of features added. For given moments the number behind them, or 0 where that is not known.
    dim: length of a feature.
    videos: the video of each addition.
    again: returns everything that was added once more, for what needs each feature after they were folded. None if it
        cannot.
    given: moments that somebody else computed, which are then all that is known. Else None.
    pieces: what `given` was joined of, with a sample of the features. None where that is not known.
    """

    def __init__(
        self,
        dim: int,
        *,
        again: Callable[[], Parts] | None = None,
        given: Moments | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.dim = dim
        self.pieces = pieces
        self._again = again
        self._given = given
        self.count = 0 if given is None else given.count or 0
        self.videos: list[int] = []
        self._kept: list[NDArray[np.float32]] = []
        self._rows: list[int] = []
        self._kept_rows = 0
        self._folded = 0
        self._mean: Float64 = np.zeros(dim)
        self._scatter: Float64 | None = None
        self._scatter_of_kept: Float64 | None = None

    @classmethod
    def of(cls, features: NDArray[np.float32], owners: NDArray[np.int64] | None = None) -> FeatureSet:
        """Make the set of one array [N, dim].

        owners: the video of each feature, [N]. With None each feature is of a video of its own.
        """
        found = cls(features.shape[1])
        if owners is None:
            owners = np.arange(len(features))
        ends = np.flatnonzero(np.diff(owners)) + 1
        if 0 < len(features) <= _KEPT_VALUES // found.dim:  # all are kept, so that nothing is gained by adding each
            starts = np.concatenate([[0], ends])
            rows = np.diff(starts, append=len(features))
            found._append(np.ascontiguousarray(features), videos=owners[starts].tolist(), rows=rows.tolist())
            return found
        for video, part in zip(np.split(owners, ends), np.split(features, ends), strict=True):
            if len(part):
                found.add(part, video=int(video[0]))
        return found

    @classmethod
    def of_moments(
        cls, mean: NDArray[np.generic], cov: NDArray[np.generic], *, count: int | None, ddof: int
    ) -> FeatureSet:
        """Make the set that is known only by moments that somebody else computed, see `Moments`.

        Raises SourceError when they cannot be those of any features.
        """
        return cls.of_known(Moments.checked(mean, cov, count=count, ddof=ddof))

    @classmethod
    def of_known(cls, moments: Moments) -> FeatureSet:
        """Make the set that is known only by these moments."""
        return cls(len(moments.mean), given=moments)

    @classmethod
    def of_pieces(cls, pieces: Pieces) -> FeatureSet:
        """Make the set of which the moments of pieces and a sample are known."""
        whole = pieces.whole()
        return cls(len(whole.mean), given=whole, pieces=pieces)

    def sampled(self) -> FeatureSet:
        """Return the set of the sample where there is one. Else this set."""
        return self if self.pieces is None else FeatureSet.of(self.pieces.sample, self.pieces.owners)

    @property
    def is_given(self) -> bool:
        """Whether only moments that somebody else computed are known."""
        return self._given is not None

    def add(self, features: NDArray[np.float32], *, video: int) -> None:
        """Add features [N, dim] of a video after those already there."""
        self._append(features, videos=[video], rows=[len(features)])

    def _append(self, features: NDArray[np.float32], *, videos: Sequence[int], rows: Sequence[int]) -> None:
        """Add features [N, dim] of videos that have so many rows each, one after another."""
        assert features.ndim == 2 and features.shape[1] == self.dim and self._given is None
        self.videos += videos
        self._rows += rows
        self._kept.append(features)
        self._kept_rows += len(features)
        self.count += len(features)
        self._scatter_of_kept = None
        most_rows = _KEPT_VALUES // self.dim if self._scatter is None else _FOLD_ROWS
        if self._kept_rows > most_rows:
            self._fold()

    @property
    def has_covariance(self) -> bool:
        """Whether there are enough features for a covariance. An unknown number, as of given moments, is enough."""
        return self.count >= 2 or (self._given is not None and self._given.count is None)

    def features(self) -> NDArray[np.float32] | None:
        """Return all features [N, dim] in the order of adding, or None when only their moments are known. Do not
        change them."""
        if self._scatter is not None or not self._kept:
            return None
        if len(self._kept) > 1:
            self._kept = [np.concatenate(self._kept)]  # joined once, as many callers ask for them
        return self._kept[0]

    def blocks(self) -> Iterator[Float64] | None:
        """Yield all features in float64 blocks [rows, dim], in the order of adding. None where they cannot be read
        again."""
        if self._given is not None:
            return None
        if self._scatter is None:
            rows = (
                part[first : first + _FOLD_ROWS] for part in self._kept for first in range(0, len(part), _FOLD_ROWS)
            )
            return _blocks(rows)
        return None if self._again is None else _blocks(part for _, part in self._again())

    def owners(self) -> NDArray[np.int64]:
        """Return the video of each feature, [count]."""
        return np.repeat(np.array(self.videos, dtype=np.int64), self._rows)

    def selected(self, kept: NDArray[np.bool_], *, as_one: bool = False) -> FeatureSet:
        """Return the set of some of the features, all of which must be kept.

        kept: bool [count], which features. as_one: whether they count as features of one video.
        """
        features = self.features()
        assert features is not None
        if not as_one:
            return FeatureSet.of(features[kept], self.owners()[kept])
        found = FeatureSet(self.dim)
        if kept.any():
            found.add(features[kept], video=0)
        return found

    def mean(self) -> Float64:
        """Return the mean [dim] in float64."""
        if self._given is not None:
            return self._given.mean
        features = self.features()
        if features is not None:
            mean: Float64 = features.mean(axis=0, dtype=np.float64)
            return mean
        self._fold()
        return self._mean

    def moments(self) -> Moments:
        """Return the mean and covariance of the features."""
        return self._given or Moments(self.mean(), self.cov(0), self.count, 0)

    def cov(self, ddof: int) -> Float64:
        """Return the covariance [dim, dim], divided by N - ddof. Given moments with unknown N keep the divisor that
        they have."""
        if self._given is not None:
            return self._given.cov_by(ddof)
        return self._centred_scatter() / (self.count - ddof)

    def _centred_scatter(self) -> Float64:
        """Return the sum of outer products of the centred features, [dim, dim] in float64."""
        if self.features() is None:
            self._fold()
            assert self._scatter is not None
            return self._scatter
        if self._scatter_of_kept is None:  # computed once, as many callers ask for it
            mean, scatter = self.mean(), np.zeros((self.dim, self.dim))
            for block in self.blocks() or ():
                centred = block - mean
                scatter += centred.T @ centred
            self._scatter_of_kept = scatter
        return self._scatter_of_kept

    def _fold(self) -> None:
        """Merge the kept features into the moments."""
        if self._scatter is None:
            self._scatter = np.zeros((self.dim, self.dim))
        for block in _blocks(self._kept):
            mean, more = scatter_of(block)
            self._mean = add_scatter(self._scatter, self._mean, self._folded, more, mean, len(block))
            self._folded += len(block)
        self._kept, self._kept_rows = [], 0


def _blocks(arrays: Iterable[NDArray[np.float32]]) -> Iterator[Float64]:
    """Yield the rows of all arrays in blocks of `_FOLD_ROWS` or a little more, as float64."""
    waiting: list[NDArray[np.float32]] = []
    waiting_rows = 0
    for array in arrays:
        waiting.append(array)
        waiting_rows += len(array)
        if waiting_rows >= _FOLD_ROWS:
            yield np.concatenate(waiting).astype(np.float64)
            waiting, waiting_rows = [], 0
    if waiting:
        yield np.concatenate(waiting).astype(np.float64)
