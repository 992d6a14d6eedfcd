"""Records from JSON that anybody may have written: each value has the type that its field declares, or is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_NAMES = {str: "a text", int: "a whole number", bool: "true or false", float: "a number", NoneType: "null"}


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that a JSON text holds, None where it is no JSON or holds something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def fault(error: Exception) -> str:
    """Say what is wrong with JSON of which no record could be made: a ValueError says it, and a KeyError what lacks."""
    if isinstance(error, ValueError):
        return str(error)
    return f"it has no {error}" if isinstance(error, KeyError) else repr(error)


def record(kind: Any, value: Any, where: str) -> Any:  # Any: a type as it is declared, and a value of it
    """Return a value of a type, made from a JSON value. Raises ValueError, naming the place and what is expected.

    kind: str, int, bool, float (a finite number), a Literal, a union with None, a tuple of one type or of several, a
        Mapping from str, Any (all its numbers are finite), or a dataclass of these. For a dataclass, unknown keys are
        ignored, and keys with a default may be missing.
    where: the name of the value in messages.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return _finite(value, where)
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin is Literal and value in arguments:
        return value
    if origin in (Union, UnionType):
        (other,) = (argument for argument in arguments if argument is not NoneType)
        return None if value is None else record(other, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[1:] == (Ellipsis,) else arguments
        if len(kinds) == len(value):
            return tuple(record(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if origin is Mapping and isinstance(value, dict):
        return {key: record(arguments[1], v, f"{where}.{key}") for key, v in value.items()}
    if kind is float and type(value) in (int, float) and _is_finite(value):
        return float(value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    raise ValueError(f"{where} is {value!r:.60}: expected {_NAMES.get(kind) or _described(kind)}")


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r:.60}: expected an object of {', '.join(f.name for f in fields(kind))}")
    types = get_type_hints(kind)
    found = {}
    for f in fields(kind):
        if f.name in value:
            found[f.name] = record(types[f.name], value[f.name], f"{where}.{f.name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where} has no {f.name}")
    return kind(**found)


def _finite(value: Any, where: str) -> Any:
    """Return a JSON value. Raises ValueError where a number in it is not finite: Python reads such, JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(v, f"{where}.{key}") for key, v in value.items()}
    if isinstance(value, list):
        return [_finite(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}: expected a number")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _described(kind: Any) -> str:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, arguments))
    if get_origin(kind) is tuple:
        return "a list" if arguments[1:] == (Ellipsis,) else f"a list of {len(arguments)}"
    return "an object"
