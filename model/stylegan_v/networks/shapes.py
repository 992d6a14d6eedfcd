"""Networks of shapes alone: laid out on PyTorch's meta device, whose tensors have neither memory nor numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_ARITHMETIC = ("add", "mul", "div", "__rdiv__", "__rpow__")
_SMALL = ("arange", "eye")


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Make tensors without memory, so that networks of any size are laid out at once: to be counted, not run."""
    with torch.device("meta"), _Shapes():
        yield


class _Shapes(TorchFunctionMode):
    """Does what networks begin with of arithmetic and draws, to its shapes.

    PyTorch has these in Python on the meta device, and loads its compiler for them, which takes longer than all the
    rest. What is not known here is left to it.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # Any: what the function returns
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        tensors = [value for value in (*args, *given.values()) if isinstance(value, Tensor)]
        if name in _SMALL and not tensors and "device" not in given:
            return func(*args, **given, device="cpu").to("meta")
        if tensors and all(tensor.is_meta and tensor.is_floating_point() for tensor in tensors):
            if name == "normal_":
                return tensors[0]
            if name in _ARITHMETIC and not given:
                shapes = [tensor.shape for tensor in tensors]
                shape = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
                return torch.empty(shape, dtype=torch.result_type(*args))
        return func(*args, **given)
