"""Arrays in files, .npy, .npz, .pt, .safetensors and HDF5, mapped into memory and never trusted.

Nothing in a file is run: no pickles are loaded but PyTorch's own tensors, by its weights-only reader. A shape that
needs more bytes than are there is refused before memory is allocated. Compressed members are unpacked once, into a
temporary file.
"""

from __future__ import annotations

import pickle
import tokenize
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import numpy as np

from fvd_bench.errors import SourceError
from fvd_bench.sources.arrays import ArrayVideos
from fvd_bench.sources.hdf5 import datasets
from fvd_bench.sources.hdf5_sets import index_sets, is_index
from fvd_bench.sources.scratch import Scratch
from fvd_bench.sources.zips import READ_ERRORS, Archive
from fvd_bench.videos.array_layout import WITH_AXES, Block, Layout
from fvd_bench.videos.arrays import TensorBlock, file_stamp
from fvd_bench.words import counted

ARRAY_SUFFIXES = frozenset(".npy .npz .pt .pth .safetensors .h5 .hdf5".split())

HDF5_SUFFIXES = (".h5", ".hdf5")

_HEADER_ERRORS = (ValueError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError)
"""What NumPy raises for bytes that are not a header."""

_TORCH_ERRORS = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    zipfile.BadZipFile,
)
"""What torch.load raises for files that are damaged, or that hold more than tensors."""


def open_array_file(path: Path, layout: Layout) -> ArrayVideos:
    """Open the videos in a file of arrays: one array of five axes, or one of four per video. Raises SourceError,
    OSError.

    path: the path of the file, or of one of the arrays in it, as if the file were a folder.
    """
    file, key = inside(path) or (path, None)
    kind, found = read_arrays(file, layout)
    if not isinstance(found, Mapping):
        if key is not None:
            raise SourceError(f"{file} holds one array without a name: pass {file}")
        return ArrayVideos.of_one(str(path), kind, found, layout, stamp=file_stamp(file, ""))
    sets = index_sets(file, found) if file.suffix.lower() in HDF5_SUFFIXES else {}
    if key in sets or (key is None and len(sets) == 1):
        return sets[key or next(iter(sets))].open(str(path), layout, others=sets)
    if key is not None and key not in found:
        names = ", ".join([*sets, *found][:8])
        raise SourceError(f"{file} holds no array {key!r} that can be videos: expected one of {names or 'none'}")
    if key is None and sets:
        parts = " and ".join(f"{name!r} of {counted(len(part), 'video')}" for name, part in sets.items())
        raise SourceError(
            f"{file} holds {counted(len(sets), 'set')}, {parts}: say which is meant, as if the file were a folder: "
            f"{file}/{next(iter(sets))}"
        )
    return _chosen(path, file, kind, found if key is None else {key: found[key]}, layout)


def inside(path: Path) -> tuple[Path, str] | None:
    """Return the array file that a path leads into as if it were a folder, and the rest of the path. Else None."""
    for file in path.parents:
        if file.suffix.lower() in ARRAY_SUFFIXES and file.is_file():
            return file, path.relative_to(file).as_posix()
    return None


def read_arrays(path: Path, layout: Layout) -> tuple[str, Block | Mapping[str, Block]]:
    """Return the form of a file, and the array in it, or by name those that may be videos. Raises SourceError,
    OSError."""
    suffix = path.suffix.lower()
    axes = {layout.many, layout.single}
    if suffix == ".npy":
        return "NumPy array", _npy(path)
    if suffix == ".npz":
        return "NumPy archive", _npz(path, axes)
    if suffix == ".safetensors":
        return "safetensors file", _safetensors(path)
    if suffix in HDF5_SUFFIXES:
        return "HDF5 file", datasets(path, lambda name, count: count in axes or is_index(name, count))
    tensors = _torch(path)
    return "PyTorch tensor" if isinstance(tensors, TensorBlock) else "PyTorch tensors", tensors


def _chosen(path: Path, file: Path, kind: str, blocks: Mapping[str, Block], layout: Layout) -> ArrayVideos:
    """Make a side of the arrays that are videos, leaving out labels and the like beside them. path: the name of the
    side."""
    many = {key: block for key, block in blocks.items() if len(block.shape) == layout.many}
    single = {key: block for key, block in blocks.items() if len(block.shape) == layout.single}
    if len(many) + bool(single) != 1:
        found = ", ".join(f"{key!r} {list(block.shape)}" for key, block in list(blocks.items())[:5])
        if layout.axes is None:
            counts = f"{len(many)} arrays of five axes and {len(single)} of four"
            expected = (
                "one array of five axes, [N, T, H, W, C] for instance, or one of four for each video (of grey videos "
                f"without an axis of channels state the axes, NTHW or THW, {WITH_AXES})"
            )
        else:
            counts = f"{len(many)} arrays of as many axes as {layout.axes}"
            expected = "one"
        several = f"; of several, name one as if the file were a folder: {file}/{next(iter(many))}" if many else ""
        raise SourceError(f"{path} holds {counts} ({found or 'no array'}): expected {expected}{several}")
    if single:
        return ArrayVideos.of_many(str(path), kind, single, layout, stamp=lambda key: file_stamp(file, key))
    ((key, block),) = many.items()
    return ArrayVideos.of_one(str(path), kind, block, layout, stamp=file_stamp(file, key))


def _npy(path: Path) -> Block:
    with path.open("rb") as file:
        shape, order, dtype = _header(file, str(path))
        offset, end = file.tell(), path.stat().st_size
    needed = _check_bytes(str(path), shape, dtype.itemsize, end - offset)
    if needed != end - offset:
        raise SourceError(
            f"{path} goes on for {end - offset - needed:,} bytes behind its array, as where several are written into "
            "one file: expected one array; np.savez holds several"
        )
    return _mapped(path, shape, order, dtype, offset)


_OF_STATISTICS = "fvd_bench_"
"""How the name of a member begins that marks a file of features or of moments."""


def _npz(path: Path, axes: Collection[int | None]) -> dict[str, Block]:
    archive = Archive(path)
    if any(name.startswith(_OF_STATISTICS) for name in archive.names):
        raise SourceError(f"{path} holds statistics of videos: expected videos")
    scratch = Scratch(f"a compressed array in {path}")
    found: dict[str, Block] = {}
    unpacked: dict[str, _Place] = {}
    for name in archive.names:
        if not name.endswith(".npy"):
            continue
        member, key, where = PurePosixPath(name), name.removesuffix(".npy"), f"{name} in {path}"
        try:
            info = archive.info(member)
            with archive.open(member) as opened:
                shape, order, dtype = _header(opened, where)
                header_bytes = opened.tell()
                if len(shape) not in axes:
                    continue
                needed = _check_bytes(where, shape, dtype.itemsize, info.file_size - header_bytes)
                if info.compress_type == zipfile.ZIP_STORED:
                    found[key] = _mapped(path, shape, order, dtype, archive.offset(member) + header_bytes)
                else:
                    unpacked[key] = _Place(scratch.size, shape, order, dtype)
                    scratch.unpack(opened, info.compress_size)
                    if scratch.size - unpacked[key].offset != needed:
                        raise OSError("it has another length than its header says")
        except (OSError, *READ_ERRORS) as error:
            raise SourceError(f"{where} cannot be read: {str(error) or type(error).__name__}; make it again") from error
    return found | {key: place.array(scratch) for key, place in unpacked.items()}


class _Place(NamedTuple):
    """Where an array was unpacked to, and what it looks like."""

    offset: int
    shape: tuple[int, ...]
    order: str
    dtype: np.dtype[Any]

    def array(self, scratch: Scratch) -> Block:
        if self.order == "C":
            return scratch.array(self.offset, self.shape, self.dtype)
        return scratch.array(self.offset, self.shape[::-1], self.dtype).T


def _safetensors(path: Path) -> dict[str, Block]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            return {key: TensorBlock(opened.get_tensor(key)) for key in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, *_TORCH_ERRORS) as error:
        raise SourceError(f"{path} cannot be read as a safetensors file: {error}; get or make it again") from error


def _torch(path: Path) -> TensorBlock | dict[str, Block]:
    import torch

    _check_torch_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of what it then refuses
            loaded: object = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
    except _TORCH_ERRORS as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(
            f"{path} cannot be read as tensors: {reason[:200]} — expected a tensor, or a list or dict of tensors, and "
            "nothing else, as torch.save writes them"
        ) from error
    size = path.stat().st_size
    if isinstance(loaded, torch.Tensor):
        return _tensor(str(path), loaded, size)
    if isinstance(loaded, list | tuple):
        loaded = {f"{number:06d}": tensor for number, tensor in enumerate(loaded)}
    if not isinstance(loaded, dict):
        raise SourceError(
            f"{path} holds an object of type {type(loaded).__name__}: expected a tensor, or a list or dict of tensors"
        )
    return {
        str(key): _tensor(f"{key!r} in {path}", tensor, size)
        for key, tensor in loaded.items()
        if isinstance(tensor, torch.Tensor)
    }


def _tensor(where: str, tensor: Any, most_bytes: int) -> TensorBlock:  # Any: torch is imported where it is needed
    """Return a tensor after checking that the file holds a value for each place of its shape."""
    import torch

    if type(tensor) is not torch.Tensor or tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise SourceError(f"{where} is a tensor of a special kind: expected a plain one; save tensor.contiguous()")
    _check_bytes(where, tuple(tensor.shape), tensor.element_size(), most_bytes)
    return TensorBlock(tensor)


def _check_torch_archive(path: Path) -> None:
    """Refuse compressed files: torch.load would unpack whatever is there, and torch.save never compresses."""
    if not zipfile.is_zipfile(path):
        raise SourceError(
            f"{path} is no file that torch.save of PyTorch 1.6 or newer wrote: expected one; pickles are never loaded"
        )
    if Archive(path).num_bytes > path.stat().st_size:
        raise SourceError(f"{path} is compressed, which torch.save never does: load it and save it again")


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], str, np.dtype[Any]]:
    """Read the shape, memory order and type of an array in NumPy's format."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        shape, is_fortran, dtype = readers[version](file)
    except (*_HEADER_ERRORS, KeyError) as error:
        raise SourceError(
            f"{where} is no array in NumPy's format, or a damaged one: {str(error).partition(chr(10))[0]}; expected "
            "what np.save or np.savez writes"
        ) from error
    if dtype.hasobject:
        raise SourceError(f"{where} holds Python objects, which are never loaded: expected an array of numbers")
    if any(size < 0 for size in shape):
        raise SourceError(f"{where} says that its shape is {list(shape)}: it is damaged")
    return shape, "F" if is_fortran else "C", dtype


def _check_bytes(where: str, shape: tuple[int, ...], itemsize: int, most: int) -> int:
    """Return the bytes that an array of a shape takes. Raises SourceError when they are more than `most`."""
    needed = itemsize
    for size in shape:
        needed *= size
    if needed > most:
        raise SourceError(
            f"{where} says that it has the shape {list(shape)}, {needed:,} bytes, but {most:,} are there: it is "
            "cut off or damaged; get or make it again"
        )
    return needed


def _mapped(path: Path, shape: tuple[int, ...], order: str, dtype: np.dtype[Any], offset: int) -> Block:
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "C" if order == "C" else "F")
