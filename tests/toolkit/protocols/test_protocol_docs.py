"""The page about protocol files names each key, each value and each protocol that there is."""

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from fvd_bench.metrics import METRICS
from fvd_bench.networks.i3d import READ_OUTS
from fvd_bench.protocols import protocol
from fvd_bench.protocols.rules import ClipRule, FeatureRule, MetricRule

PAGE = (Path(__file__).parents[3] / "docs" / "protocols.md").read_text("utf-8")
RULES = (ClipRule, FeatureRule, MetricRule)
FIELDS = [(rule, f.name) for rule in RULES for f in dataclasses.fields(rule) if f.name not in ("count", "batch")]


def _texts(hint: Any) -> set[str]:
    """The texts that a field may be."""
    if get_origin(hint) is Literal:
        return {value for value in get_args(hint) if isinstance(value, str)}
    return set().union(*map(_texts, get_args(hint)))


@pytest.mark.parametrize(("rule", "name"), FIELDS, ids=[name for _, name in FIELDS])
def test_each_key_has_a_row_with_its_values(rule: type, name: str) -> None:
    rows = re.findall(rf"(?m)^\| (?:[^|]*, )?`{name}`[, ].*", PAGE)

    assert rows, f"no row of {name}"
    assert {value for value in _texts(get_type_hints(rule)[name]) if f'"{value}"' not in "".join(rows)} == set()


def test_each_metric_and_each_layer_of_i3d_has_a_row() -> None:
    cells = set(re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"(?m)^\| ([^|]+) \|", PAGE))))

    assert METRICS.keys() | READ_OUTS.keys() <= cells


def test_each_protocol_that_ships_is_in_the_table() -> None:
    """By its name, or by the end that it adds to the one before it, or by what stands before -on-tfhub-weights."""
    table = PAGE[PAGE.index("## Protocols that ship") :]
    named = set(re.findall(r"`([a-z0-9-]+)`", table))
    ends = {name for name in named if name.startswith("-")}
    stems = {name for name in named if name.endswith("-")}

    missing = [
        name
        for name in protocol.names()
        if name not in named
        and name.replace("on-tfhub-weights", "") not in stems
        and not (name.startswith("stylegan-v-") and any(name.endswith(end) for end in ends))
    ]

    assert missing == []
