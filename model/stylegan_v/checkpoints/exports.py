"""Plain tensor exports, .npz and .safetensors: names and shapes are read first, values one tensor at a time.

Nothing here runs what a file holds. The headers of an .npz are read before any memory is taken for arrays, and must
agree with the sizes of its members. Members are never unpacked to disk, so their names do no harm.
"""

from __future__ import annotations

import io
import lzma
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from fvd_bench.errors import cause
from fvd_bench.videos.files import regular_file
from stylegan_v.errors import CheckpointError

LARGEST_BYTES = 8 * 2**30
"""The most bytes of all tensors of a file together. An .npz that claims more is not read."""

HOW_TO_EXPORT = "export its tensors with the lines that `stylegan-v import --help` shows"

_PICKLES = ".pkl .pickle .pt .pth .ckpt .bin".split()
_LARGEST_HEADER = 1 << 14
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What damaged or hostile archives raise."""


class Export(Protocol):
    """A file of named tensors. shapes: name -> shape, for all of them."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def read(self, name: str) -> Tensor:
        """Read a tensor, in float32. Raises CheckpointError when it is damaged or holds no floating point numbers."""


def open_export(file: Path) -> Export:
    """Read the names and shapes of a file. Raises CheckpointError."""
    try:
        regular_file(file)
        with file.open("rb") as stream:
            head = stream.read(9)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {cause(error)}") from error
    if file.suffix.lower() in _PICKLES or head.startswith(b"\x80"):
        raise _pickle(file)
    if head.startswith(b"PK"):
        return _open_npz(file)
    if head[8:] == b"{":
        return _open_safetensors(file)
    raise CheckpointError(f"{file} is neither .npz nor .safetensors, the two kinds of file that can be imported")


@dataclass(frozen=True, slots=True)
class _Array:
    """Where an array is in its archive, and how it is stored."""

    member: zipfile.ZipInfo
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # Any: the file says which
    fortran: bool


class _Npz:
    def __init__(self, file: Path, arrays: Mapping[str, _Array]) -> None:
        self._file = file
        self._arrays = arrays
        self.shapes = {name: array.shape for name, array in arrays.items()}

    def read(self, name: str) -> Tensor:
        array = self._arrays[name]
        if array.dtype.kind != "f":
            raise CheckpointError(f"{self._file}: {name} is of type {array.dtype}, expected floating point numbers")
        num_bytes = math.prod(array.shape) * array.dtype.itemsize
        try:
            with zipfile.ZipFile(self._file) as archive, archive.open(array.member) as stream:
                stream.read(array.offset)
                data = stream.read(num_bytes)
                if len(data) != num_bytes or stream.read(1):  # reads the end too, where the checksum is compared
                    raise EOFError(f"it has {len(data)} bytes, expected {num_bytes}")
        except OSError as error:
            raise CheckpointError(f"{self._file} cannot be read: {cause(error)}") from error
        except _ZIP_ERRORS as error:
            raise CheckpointError(f"{self._file} is damaged: {name}: {error}") from error
        values = np.frombuffer(data, array.dtype).reshape(array.shape, order="F" if array.fortran else "C")
        return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))


def _open_npz(file: Path) -> Export:
    arrays: dict[str, _Array] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(member.filename.rpartition("/")[2] == "data.pkl" for member in members):
                raise _pickle(file)
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename:
                    raise CheckpointError(f"{file} holds {_shown(name)}, which is no array: expected an .npz file")
                if name in arrays:
                    raise CheckpointError(f"{file} holds {_shown(name)} twice: export it again")
                arrays[name] = _header(archive, member)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {cause(error)}") from error
    except _ZIP_ERRORS as error:
        raise CheckpointError(f"{file} is damaged, or no .npz file: {error}") from error
    claimed = sum(member.file_size for member in members)
    if claimed > LARGEST_BYTES:
        raise CheckpointError(f"{file} claims to hold {claimed:,} bytes; {LARGEST_BYTES:,} are the most that is read")
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise CheckpointError(f"{file}: {_shown(name)} is an array of objects, a pickle; {HOW_TO_EXPORT}")
    return _Npz(file, arrays)


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Array:
    """Read a header. Raises ValueError when it is none, or does not agree with the size of the member."""
    with archive.open(member) as stream:
        start = io.BytesIO(stream.read(_LARGEST_HEADER))
    version = npy.read_magic(start)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{_shown(member.filename)} is of version {version}, expected 1.0 or 2.0")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(start)
    if dtype.hasobject:  # its bytes are a pickle, whose length is unknown
        return _Array(member, start.tell(), (), dtype, fortran)
    if any(length < 0 for length in shape):
        raise ValueError(f"{_shown(member.filename)} has shape {shape}")
    if start.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
        raise ValueError(f"{_shown(member.filename)} claims shape {shape} and has {member.file_size:,} bytes")
    return _Array(member, start.tell(), shape, dtype, fortran)


class _Safetensors:
    def __init__(self, file: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._file = file
        self.shapes = shapes

    def read(self, name: str) -> Tensor:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._file, framework="pt") as content:
                tensor: Tensor = content.get_tensor(name)
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self._file} is damaged: {name}: {error}") from error
        if not tensor.is_floating_point():
            raise CheckpointError(f"{self._file}: {name} is of type {tensor.dtype}, expected floating point numbers")
        return tensor.float()


def _open_safetensors(file: Path) -> Export:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as content:
            names = content.keys()
            return _Safetensors(file, {name: tuple(content.get_slice(name).get_shape()) for name in names})
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{file} is damaged, or no .safetensors file: {error}") from error


def _pickle(file: Path) -> CheckpointError:
    return CheckpointError(
        f"{file} is a pickle, a program that runs when it is read, or named like one: {HOW_TO_EXPORT}"
    )


def _shown(name: str) -> str:
    """Make a name that a stranger chose fit for a message."""
    return repr(name[:80])
