"""Pickles of plain data, read without running anything: dicts, lists, tuples, text, numbers, and NumPy's arrays.

The names in a pickle are never looked up. The few names that arrays need stand for inert objects of this module, which
note what they are given. Every other name is refused before it could be called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

READ_ERRORS = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
)
"""The errors that damaged or hostile pickles raise. Nothing in them has run by then."""

_MOST_STEPS = 10_000_000

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")

_NUMBERS = re.compile(r"[<>|=]?[fiub][0-9]{1,2}")


def load(data: bytes | memoryview, *, what: str) -> object:
    """Read the object in a pickle. Arrays in it are `PickledArray`.

    what: what errors call the things that pickles of this kind hold, in the plural.
    Raises one of READ_ERRORS for anything that is not plain data, and for damage.
    """
    _check_memory(data)
    return _Unpickler(io.BytesIO(data), what).load()


@dataclass(slots=True)
class PickledArray:
    """What a pickle says about an array. Nothing of it is checked until `numpy` makes the array."""

    shape: object = ()
    dtype: object = None
    order: object = "C"
    data: object = b""

    def __setstate__(self, state: Any) -> None:  # Any: whatever the pickle holds
        _, self.shape, self.dtype, is_fortran, self.data = state
        self.order = "F" if is_fortran else "C"

    def numpy(self) -> NDArray[Any]:
        """Return the array, read-only. Raises ValueError or TypeError when the pickle describes no array of numbers."""
        if not (isinstance(self.dtype, _Dtype) and isinstance(self.data, bytes | bytearray)):
            raise ValueError("an array in it holds something else than numbers")
        shape = self.shape
        if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)):
            raise ValueError("an array in it has no shape")
        values = np.frombuffer(self.data, dtype=self.dtype.numpy())
        return values.reshape(shape, order="F" if self.order == "F" else "C")


def plain(value: object) -> object:
    """Return a value of the pickle, a `PickledArray` as an array or Python number. Raises as `PickledArray.numpy`."""
    if not isinstance(value, PickledArray):
        return value
    array = value.numpy()
    return array.item() if array.shape == () else array


class _Dtype:
    """A type of numbers, as a pickle describes it."""

    __slots__ = ("_byte_order", "_name")

    def __init__(self, name: object) -> None:
        if not (isinstance(name, str) and _NUMBERS.fullmatch(name)):
            raise pickle.UnpicklingError(f"an array in it is of type {name!r:.40}, which is no number")
        self._name, self._byte_order = name, ""

    def __setstate__(self, state: Any) -> None:  # Any: whatever the pickle holds
        self._byte_order = state[1] if state[1] in ("<", ">") else ""

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self._byte_order + self._name.lstrip("<>|=") if self._byte_order else self._name)


class _Known:
    """What stands for a name that a pickle may call."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *args: object) -> object:
        return self._call(*args)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, what: str) -> None:
        super().__init__(file)
        self._what = what
        self._bytes_left = 4 * len(file.getbuffer())

    def find_class(self, module_name: str, global_name: str, /) -> Any:  # Any: the base class says so
        name = (module_name, global_name)
        if name == ("numpy", "ndarray"):
            return object()  # pickles only pass it as an argument
        if name == ("numpy", "dtype"):
            return _Known(lambda name, *_: _Dtype(name))
        if module_name in _ARRAY_MODULES and global_name == "_reconstruct":
            return _Known(lambda *_: PickledArray())
        if module_name in _ARRAY_MODULES and global_name == "scalar":
            return _Known(lambda dtype, data: PickledArray((), dtype, "C", data))
        if module_name in _ARRAY_MODULES and global_name == "_frombuffer":
            return _Known(lambda data, dtype, shape, order: PickledArray(shape, dtype, order, data))
        if name == ("_codecs", "encode"):
            return _Known(self._latin1)
        raise pickle.UnpicklingError(f"it wants to call {module_name}.{global_name}, which {self._what} never do")

    def _latin1(self, text: object, encoding: object) -> bytes:
        """Encode text as old pickles write bytes. A pickle may use one text again and again, so there is a limit."""
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("it holds text in place of bytes")
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            raise pickle.UnpicklingError("it unpacks to much more than its size")
        return text.encode("latin1")


def _check_memory(data: bytes | memoryview) -> None:
    """Raise UnpicklingError for a memo index above the number of steps so far.

    The unpickler takes memory for all indexes up to the one that a pickle names.
    """
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
        if steps > _MOST_STEPS:
            raise pickle.UnpicklingError(f"it takes more than {_MOST_STEPS:,} steps to read")
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not (isinstance(argument, int) and argument <= steps):
            raise pickle.UnpicklingError(f"it asks for a memory of {argument} objects")
