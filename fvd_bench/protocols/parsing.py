"""From TOML and JSON values to the rules of a protocol. Each value must be of its type and among those allowed."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fvd_bench.errors import ProtocolError
from fvd_bench.protocols.rules import SIDES, Resize, Side

_Rule = TypeVar("_Rule")


@functools.cache  # finding them takes longer than to parse a protocol
def _hints(rule: type) -> Mapping[str, Any]:  # Any: typing's own objects
    """Return the declared type of each field of a rule."""
    return get_type_hints(rule)


def rule_of(cls: type[_Rule], table: Mapping[str, Any], where: str) -> _Rule:
    """Make a rule, which is a dataclass, from a table of its fields.

    Raises ProtocolError, naming `where`, the key and what is expected.
    """
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    refuse_unknown(table, tuple(fields), where)
    missing = [f.name for f in fields.values() if f.default is MISSING and f.name not in table]
    if missing:
        raise ProtocolError(f"{where}: the key {missing[0]!r} is missing")
    values = {k: value_of(hints[k], v, fields[k].metadata, f"{where}: {k}") for k, v in table.items()}
    return cls(**values)


def value_of(hint: Any, value: Any, limits: Mapping[str, Any], where: str) -> Any:  # Any: typing's own objects
    """Convert a value to its declared type, and check it.

    hint: the declared type.
    limits: the metadata of the field, with the limits `least`, `most` and `allowed`.
    Lists become tuples, whole numbers become floats where these are declared, and tables become a `Resize`.
    Raises ProtocolError, naming `where`, what was found and what is expected.
    """
    if get_origin(hint) in (Union, UnionType):
        options = get_args(hint)
        if value is None and type(None) in options:
            return None
        literal = next((o for o in options if get_origin(o) is Literal), None)
        if literal is not None and value in get_args(literal):
            return value
        if literal is not None and isinstance(value, str):
            allowed = ", ".join(map(repr, get_args(literal)))
            raise ProtocolError(f"{where} = {value!r}: allowed are {allowed}, and whole numbers")
        hint = next(o for o in options if o is not type(None) and get_origin(o) is not Literal)
    if get_origin(hint) is Literal:
        return _one_of(value, get_args(hint), where)
    if hint is Resize:
        if not isinstance(value, dict):
            raise ProtocolError(f"{where} = {value!r}: expected a table such as {{ size = 224 }}")
        return rule_of(Resize, value, where)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        if not isinstance(value, list) or (get_args(hint)[-1] is not Ellipsis and len(value) != 2):
            raise ProtocolError(f"{where} = {value!r}: expected a list{'' if item is str else ' of two numbers'}")
        return tuple(value_of(item, v, limits, where) for v in value)
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise ProtocolError(f"{where} = {value!r}: expected {hint.__name__}, found {type(value).__name__}")
    if hint is float and not math.isfinite(value):
        raise ProtocolError(f"{where} = {value}: expected a finite number")
    if value < limits.get("least", value) or value > limits.get("most", value):
        expected = f"{limits['least']} to {limits['most']}" if "most" in limits else f"at least {limits['least']}"
        raise ProtocolError(f"{where} = {value}: expected {expected}")
    return _one_of(value, limits["allowed"], where) if "allowed" in limits else value


def _one_of(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if value not in allowed:
        raise ProtocolError(f"{where} = {value!r}: allowed are {', '.join(repr(a) for a in allowed)}")
    return value


def checked_name(value: Any, where: str) -> str:
    """Return a name, which must be plain because it appears in signatures and tables. Raises ProtocolError."""
    name: str = value_of(str, value, {}, f"{where}: name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ProtocolError(f"{where}: name = {name!r}: expected letters, digits, '.', '_' and '-'")
    return name


def refuse_unknown(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    """Raise ProtocolError for a key that is not allowed, naming the key that may have been meant."""
    for key in table:
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ProtocolError(f"{where}: unknown key {key!r}; {hint}allowed are {', '.join(allowed)}")


_CLIP_KEYS = (
    "frames", "most_frames", "given_frames", "stride", "start", "length_rule", "min_frames", "short_videos", "content",
    "frame_order",
)  # fmt: skip
_COUNT_KEYS = ("real", "fake", "selection")
_FRAMES_KEYS = ("resize", "rounding", "order", "jpeg", "jpeg_quality", "jpeg_subsampling")


def side_tables(table: Mapping[str, Any], where: str) -> dict[Side, dict[str, Any]]:
    """Distribute [clip], [count] and [frames] over the two sides. Raises ProtocolError for keys that there are not."""
    sides: dict[Side, dict[str, Any]] = {"real": {}, "fake": {}}
    for section, allowed in (("clip", _CLIP_KEYS), ("count", _COUNT_KEYS), ("frames", _FRAMES_KEYS)):
        values = dict(table.get(section, {}))
        refuse_unknown(values, allowed, f"{where}: [{section}]")
        if section == "count":
            per_side = {side: values.pop(side) for side in SIDES if side in values}
            for side, count in per_side.items():
                sides[side]["count"] = None if count == "all" else count
        for key, value in values.items():
            sided = isinstance(value, dict) and bool(value) and set(value) <= set(SIDES)
            for side in SIDES:
                if not sided:
                    sides[side][key] = value
                elif side in value:
                    sides[side][key] = value[side]
    return sides
