"""Values of the types that records declare, and no others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from fvd_bench.records import json_object, record


@dataclass(frozen=True)
class Inner:
    name: str
    pair: tuple[float, float] | None = None


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...]
    kind: Literal["a", "b"] = "a"
    texts: Mapping[str, str] = field(default_factory=dict)


def test_a_record_is_what_its_fields_say() -> None:
    table = {"inner": {"name": "x", "pair": [1, 2.5]}, "many": [{"name": "y"}], "texts": {"a": "b"}, "later": 1}

    assert record(Outer, table, "it") == Outer(Inner("x", (1.0, 2.5)), (Inner("y"),), "a", {"a": "b"})


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (float, "1", "a number"),
        (float, True, "a number"),
        (float, float("nan"), "a number"),
        (float, 10**400, "a number"),
        (int, 1.0, "a whole number"),
        (int, True, "a whole number"),
        (bool, 1, "true or false"),
        (str, None, "a text"),
        (str | None, 1, "a text"),
        (tuple[float, float], [1], "a list of 2"),
        (tuple[float, ...], {"a": 1}, "a list"),
        (tuple[str, ...], "abc", "a list"),
        (Mapping[str, str], [], "an object"),
        (Literal["a", "b"], "c", "'a' or 'b'"),
        (Literal["a", "b"], ["a"], "'a' or 'b'"),
        (Inner, [], "an object of name, pair"),
    ],
)
def test_other_values_are_named(kind: Any, value: object, expected: str) -> None:
    with pytest.raises(ValueError, match=rf"^it is .*: expected {expected}$"):
        record(kind, value, "it")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_nowhere(number: float) -> None:
    with pytest.raises(ValueError, match=r"^it\.a\[1\]\.b is (nan|inf): expected a number$"):
        record(Mapping[str, Any], {"a": [0, {"b": number}]}, "it")

    assert record(Any, {"a": [0, {"b": 1.5}]}, "it") == {"a": [0, {"b": 1.5}]}


def test_the_place_is_named() -> None:
    with pytest.raises(ValueError, match=r"^it\.many\[1\]\.pair\[0\] is '1': expected a number$"):
        record(Outer, {"inner": {"name": "x"}, "many": [{"name": "x"}, {"name": "y", "pair": ["1", 2]}]}, "it")
    with pytest.raises(ValueError, match=r"^it\.inner has no name$"):
        record(Outer, {"inner": {}, "many": []}, "it")


@pytest.mark.parametrize("text", ["", '{"a": ', "[]", '"a"', "null", "[" * 100_000, b"\xff"])
def test_what_is_no_object_of_json(text: str | bytes) -> None:
    assert json_object(text) is None


def test_an_object_of_json_is_read_from_text_and_bytes() -> None:
    assert json_object('{"a": 1}') == json_object(b'{"a": 1}') == {"a": 1}
