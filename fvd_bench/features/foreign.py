"""Statistics of real videos that other programs made, as a real side.

It reads the .npz of pytorch-fid with `mu` and `sigma`, and the pickles of FeatureStats of StyleGAN and cd-fvd and of
EDM2's references. They do not say under which protocol they were made, so every score against them is flagged.
"""

from __future__ import annotations

import hashlib
import tokenize
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError, cause
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.networks.weights import unpickling
from fvd_bench.sources.zips import READ_ERRORS, Archive
from fvd_bench.videos.files import regular_file
from fvd_bench.videos.video import Video
from fvd_bench.words import counted

_PICKLES = (".pkl", ".pickle")

_MOST_BYTES = 2**31

_EXPECTED = (
    "expected a dict of mu and sigma, or one of raw_mean, raw_cov and num_items, or of all_features, as StyleGAN, "
    "cd-fvd and EDM2 write them"
)


@dataclass(frozen=True, eq=False)
class ForeignStats:
    """A real side without videos.

    name: its path, for messages.
    kind: its form.
    features: what is known of its features.
    digest: sha256 of the file.
    """

    name: str
    kind: str
    features: FeatureSet
    digest: str
    names: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def warning(self) -> str:
        count = counted(self.features.count, "feature") if self.features.count else "an unknown number of features"
        return (
            f"the real side is {self.name}, {self.kind} of {count}, made under an unknown protocol: which clips, what "
            "resize and what network made them is not in the file. Compare the score only with others against the "
            "same file"
        )

    @classmethod
    def read(cls, path: Path) -> ForeignStats:
        """Read a file of statistics. Raises SourceError."""
        try:
            size = regular_file(path).st_size
            if size > _MOST_BYTES:
                raise SourceError(f"{path} is of {size:,} bytes: expected statistics, of at most {_MOST_BYTES:,}")
            is_npz = path.suffix.lower() == ".npz"
            features = _of_npz(path) if is_npz else _of_pickle(path.read_bytes())
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except SourceError as error:
            raise SourceError(f"{path} cannot be the real side: {error}") from error
        except OSError as error:
            raise SourceError(f"{path}: {cause(error)}") from error
        return cls(str(path), f"statistics ({'.npz' if is_npz else 'pickle'})", features, digest)

    def video(self, index: int) -> Video:
        raise IndexError("statistics hold no videos")

    def check(self, dim: int, *, takes_real: bool) -> None:
        """Raise SourceError when a protocol cannot use them.

        dim: length of the protocol's features. takes_real: see `ClipRule`.
        """
        if takes_real:
            raise SourceError(f"{self.name} holds statistics, and the fake clips are made of real videos: pass these")
        if dim != self.features.dim:
            raise SourceError(
                f"{self.name} holds statistics of {counted(self.features.dim, 'feature')}, the protocol's network has "
                f"{dim}: pass the videos, or statistics that this network made"
            )


def is_foreign_stats(path: Path) -> bool:
    """Return whether this is a file of statistics: a pickle, or an .npz with `mu` and `sigma`."""
    if path.suffix.lower() in _PICKLES:
        return True
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {"mu.npy", "sigma.npy"} <= set(archive.namelist())
    except (OSError, *READ_ERRORS):
        return False  # opening it as an archive of arrays will tell what is wrong


def _of_npz(path: Path) -> FeatureSet:
    archive = Archive(path)
    mean, cov = _member(archive, "mu.npy"), _member(archive, "sigma.npy")
    return FeatureSet.of_moments(mean, cov, count=None, ddof=1)  # pytorch-fid uses np.cov


def _member(archive: Archive, name: str) -> NDArray[np.generic]:
    """Read an array of an archive. Its size is checked first, since NumPy allocates the memory that a header claims."""
    member = PurePosixPath(name)
    size = archive.info(member).file_size
    if size > _MOST_BYTES:
        raise SourceError(f"{name} in it is of {size:,} bytes: expected at most {_MOST_BYTES:,}")
    try:
        with archive.open(member) as opened:
            version = np.lib.format.read_magic(opened)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, is_fortran, dtype = read(opened)
            if dtype.kind not in "fiu" or not all(n >= 0 for n in shape):
                raise SourceError(f"{name} in it holds {dtype} {list(shape)}: expected numbers")
            count = int(np.prod([int(n) for n in shape], dtype=object))
            data = opened.read(count * dtype.itemsize + 1) if count * dtype.itemsize <= size else b""
        if len(data) != count * dtype.itemsize:
            raise SourceError(f"{name} in it is not of the {count * dtype.itemsize:,} bytes that its header says")
    except (tokenize.TokenError, SyntaxError, TypeError, MemoryError, *READ_ERRORS) as error:
        raise SourceError(f"{name} in it cannot be read: {str(error) or type(error).__name__}") from error
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if is_fortran else "C")


def _of_pickle(data: bytes) -> FeatureSet:
    try:
        tree = unpickling.load(data, what="statistics")
        if not isinstance(tree, dict):
            raise SourceError(f"it holds an object of type {type(tree).__name__}: {_EXPECTED}")
        nested = next((tree[key] for key in ("fvd", "fid") if isinstance(tree.get(key), dict)), tree)
        return _of_dict(nested, size=len(data))
    except unpickling.READ_ERRORS as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SourceError(f"it is damaged, or no pickle of plain statistics: {reason}") from error


def _of_dict(tree: Mapping[Any, object], *, size: int) -> FeatureSet:
    """Read the features or moments in a dict. size: bytes of the file, more than which its arrays must not take."""
    if isinstance(parts := tree.get("all_features"), list) and parts:
        arrays = [_array(part, "all_features", 2) for part in parts]
        if sum(array.nbytes for array in arrays) > size or len({array.shape[1] for array in arrays}) > 1:
            raise SourceError("its all_features are no arrays of one width [N, D]")
        features = np.concatenate(arrays).astype(np.float32)
        if len(features) < 2 or not features.shape[1] or not np.isfinite(features).all():
            raise SourceError(f"its all_features are {list(features.shape)}, or not finite: expected [N, D], N from 2")
        return FeatureSet.of(features)
    if "mu" in tree and "sigma" in tree:
        mean, cov = _array(tree["mu"], "mu", 1), _array(tree["sigma"], "sigma", 2)
        return FeatureSet.of_moments(mean, cov, count=None, ddof=1)
    if not {"raw_mean", "raw_cov", "num_items"} <= tree.keys() or tree["raw_mean"] is None or tree["raw_cov"] is None:
        found = ", ".join(str(key)[:20] for key in list(tree)[:10]) or "nothing"
        raise SourceError(f"it holds {found}: {_EXPECTED}")
    count = unpickling.plain(tree["num_items"])
    if type(count) is not int or not 2 <= count < 2**53:
        raise SourceError(f"its num_items is {count!r:.40}: expected an integer from 2")
    # These are sums of the features and of their outer products.
    total, outer = _array(tree["raw_mean"], "raw_mean", 1), _array(tree["raw_cov"], "raw_cov", 2)
    mean = total.astype(np.float64) / count
    second = outer.astype(np.float64) / count
    if second.shape != (len(mean), len(mean)):
        raise SourceError(f"its raw_mean is of {len(mean)} numbers and its raw_cov of {list(second.shape)}")
    return FeatureSet.of_moments(mean, second - np.outer(mean, mean), count=count, ddof=0)


def _array(value: object, name: str, axes: int) -> NDArray[np.generic]:
    found = unpickling.plain(value)
    if not isinstance(found, np.ndarray) or found.ndim != axes or found.dtype.kind not in "fiu":
        raise SourceError(f"its {name} is no array of numbers with {axes} axes")
    return found
