"""Datasets of an HDF5 file, read in slices. Only data in the file itself is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError
from fvd_bench.sources.archives import MOST_RATIO, RATIO_FROM_BYTES
from fvd_bench.videos.array_layout import Block

_CHUNK_CACHE_BYTES = 1 << 26
"""Cache for chunks, so that a chunk of many frames is unpacked once, not once per frame."""

_READ_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)
"""What h5py raises for files that are damaged in one way or another."""


class _Dataset:
    """A dataset as `arrays.Block`."""

    def __init__(self, dataset: Any) -> None:  # Any: h5py has no type information
        self._dataset = dataset
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype

    def __getitem__(self, place: tuple[int | slice, ...], /) -> NDArray[Any]:
        try:
            piece: NDArray[Any] = self._dataset[place]  # h5py lets one thread in at a time
        except _READ_ERRORS as error:
            raise OSError(f"{self._dataset.name} in the HDF5 file: {error}") from error
        return piece


def datasets(path: Path, wanted: Callable[[str, int], bool]) -> dict[str, Block]:
    """Return the datasets of a file by path. Raises SourceError.

    wanted: takes the name and the number of axes of a dataset, and returns whether the dataset is wanted.
    """
    try:
        import h5py
    except ImportError as error:
        raise SourceError(f"{path}: HDF5 files need h5py: pip install h5py") from error
    try:
        file = h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES, locking=False)
        return {name: _Dataset(dataset) for name, dataset in _walk(path, file, wanted)}
    except _READ_ERRORS as error:
        raise SourceError(f"{path} cannot be read as an HDF5 file: {error}; get or make it again") from error


def _walk(path: Path, file: Any, wanted: Callable[[str, int], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the wanted datasets. Raises SourceError when data is in another place than this file."""
    import h5py

    waiting, seen = [("", file)], set()
    while waiting:
        above, group = waiting.pop()
        number = h5py.h5o.get_info(group.id).addr
        if number in seen:
            raise SourceError(f"{path}: its group {above!r} is in itself or in two places: expected one way to each")
        seen.add(number)
        for key in group:
            name = f"{above}{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise SourceError(
                    f"{path}: {name!r} is a link, which may lead to another file: expected the data itself"
                )
            found = group[key]
            if isinstance(found, h5py.Group):
                waiting.append((f"{name}/", found))
            elif isinstance(found, h5py.Dataset) and found.shape is not None and wanted(name, len(found.shape)):
                _check(path, name, found)
                yield name, found


def _check(path: Path, name: str, dataset: Any) -> None:
    if dataset.external or dataset.is_virtual:
        raise SourceError(
            f"{path}: the values of {name!r} stand in other files: expected them in this one; copy it whole"
        )
    needed = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if needed > max(RATIO_FROM_BYTES if dataset.chunks else 0, MOST_RATIO * stored if dataset.chunks else stored):
        raise SourceError(
            f"{path}: {name!r} says that it has the shape {list(dataset.shape)}, {needed:,} bytes, but {stored:,} are "
            "stored: it is cut off or damaged; get or make it again"
        )
