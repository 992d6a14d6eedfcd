import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from fvd_bench.errors import ResultError
from fvd_bench.estimate import Splits
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.reports.scores import score_frame
from fvd_bench.settings import Settings

_SIDE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["path", "kind", "videos", "fingerprint"],
    "properties": {
        "path": {"type": "string"},
        "kind": {"type": "string"},
        "videos": {"type": "integer", "minimum": 1},
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
}
_COUNT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["clips", "skipped"],
    "properties": {
        "clips": {"type": "integer", "minimum": 0},
        "skipped": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["video", "reason"],
                "properties": {"video": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_MOTION = {
    "type": "object",
    "additionalProperties": False,
    "required": "videos mean median spread still asked looping".split(),
    "properties": {
        "videos": {"type": "integer", "minimum": 1},
        "mean": {"type": "number"},
        "median": {"type": "number"},
        "spread": {"type": "number"},
        "still": {"type": "number"},
        "asked": {"type": "integer"},
        "looping": _NUMBER_OR_NULL,
    },
}
_ESTIMATE = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "required": ["value", "interval"],
    "properties": {
        "value": {"type": "number"},
        "interval": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    },
}
_SCORE = {
    "type": "object",
    "additionalProperties": False,
    "required": (
        "metric protocol protocol_version digest signature row value reason values std interval seed "
        "lower_is_better real fake error_real error_fake units_fake floor infinite unknown splits"
    ).split(),
    "properties": {
        "metric": {"type": "string"},
        "protocol": {"type": "string"},
        "protocol_version": {"type": "integer"},
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "signature": {"type": "string"},
        "row": {"type": ["string", "null"]},
        "value": _NUMBER_OR_NULL,
        "reason": {"type": ["string", "null"]},
        "values": {"type": "array", "items": {"type": "number"}},
        "std": _NUMBER_OR_NULL,
        "interval": {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "error_real": _NUMBER_OR_NULL,
        "error_fake": _NUMBER_OR_NULL,
        "units_fake": {"type": ["integer", "null"]},
        "floor": _ESTIMATE,
        "infinite": _ESTIMATE,
        "unknown": {"type": "object", "additionalProperties": {"type": "string"}},
        "splits": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "required": ["count", "std"],
            "properties": {"count": {"type": "integer", "minimum": 2}, "std": {"type": "number", "minimum": 0}},
        },
        "seed": {"type": "integer"},
        "lower_is_better": {"type": "boolean"},
        "real": _COUNT,
        "fake": _COUNT,
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": (
        "schema fvd_bench scores real fake warnings weights environment seconds protocols motion group_by classes"
    ).split(),
    "properties": {
        "schema": {"const": 1},
        "fvd_bench": {"type": "string"},
        "scores": {"type": "array", "minItems": 1, "items": _SCORE},
        "real": _SIDE,
        "fake": _SIDE,
        "warnings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["code", "message", "videos", "side"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "videos": {"type": "object", "additionalProperties": {"type": "string"}},
                    "side": {"enum": ["real", "fake", None]},
                },
            },
        },
        "weights": {"type": "object", "additionalProperties": {"type": "string"}},
        "environment": {
            "type": "object",
            "required": ["python", "torch", "numpy", "pillow", "av", "device", "precision"],
            "additionalProperties": {"type": "string"},
        },
        "seconds": {"type": "number", "minimum": 0},
        "motion": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "required": ["real", "fake"],
            "properties": {"real": _MOTION, "fake": _MOTION},
        },
        "protocols": {
            "type": "object",
            "propertyNames": {"pattern": "^[0-9a-f]{64}$"},
            "additionalProperties": {"type": "object"},
        },
        "group_by": {"type": ["string", "null"]},
        "classes": {"type": ["object", "null"]},
    },
}


@pytest.fixture(scope="module")
def result(two_sides: tuple[Path, Path], write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Of a protocol with a score, and of one that has none here."""
    folder = tmp_path_factory.mktemp("protocols")
    served, unserved = (write_pixels_protocol(folder, name=n, frames=f) for n, f in (("pixels", 12), ("long", 31)))
    return evaluate(*two_sides, [served, unserved], repeats=2, settings=Settings(cache=None))


def test_the_json_keeps_its_contract(result: Result) -> None:
    table = json.loads(result.to_json())

    jsonschema.validate(table, SCHEMA)
    assert [score["value"] is None for score in table["scores"]] == [False, True]
    assert table["scores"][1]["reason"]


def test_json_is_read_back_exactly(result: Result) -> None:
    assert Result.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    "text", ["[]", '{"schema": 2}', '{"schema": 1}', "{", "null", '{"schema": ' + "9" * 5000 + "}", "[" * 100_000]
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ResultError, match=r"^not a result of schema 1"):
        Result.from_json(text)


def assert_refused(result: Result, key: str, value: object, *, named: str) -> None:
    """That a result whose first score has this value instead is none, for a reason that names it."""
    table = json.loads(result.to_json())
    table["scores"][0][key] = value

    with pytest.raises(ResultError, match=rf"not a result of schema 1: .*the result\.scores\[0\]\.{named}"):
        Result.from_json(json.dumps(table))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("value", "1"), ("value", [1]), ("values", "12"), ("values", ["1"]), ("interval", [1]), ("interval", [1, "2"]),
        ("std", {}), ("seed", 1.5), ("lower_is_better", 1), ("protocol", None), ("real", []), ("floor", {"value": 1}),
        ("infinite", 3), ("error_fake", "x"), ("value", float("inf")), ("metric", 1), ("row", 0), ("splits", 0.73),
    ],
)  # fmt: skip
def test_values_of_other_types_are_refused_by_name(result: Result, key: str, value: object) -> None:
    assert_refused(result, key, value, named=key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("value", float("nan")), ("values", [1.0, float("nan")]), ("error_fake", float("nan")),
        ("interval", [float("nan"), 2.0]), ("interval", [2.0, 1.0]), ("floor", {"value": 1.0, "interval": [2.0, 1.0]}),
        ("infinite", {"value": float("-inf"), "interval": [0.0, 1.0]}), ("error_fake", -1.0), ("std", -0.1),
        ("units_fake", 1), ("splits", {"count": 10, "std": -0.1}), ("splits", {"count": 1, "std": 0.1}),
        ("splits", {"count": 10, "std": float("nan")}),
        ("value", 1e6), ("value", None), ("values", []),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused_by_name(result: Result, key: str, value: object) -> None:
    """Whatever compares against them would pass."""
    assert_refused(result, key, value, named=key.rstrip("s"))


def test_a_result_without_scores_is_none(result: Result) -> None:
    with pytest.raises(ResultError, match="it has no scores"):
        Result.from_json(json.dumps(json.loads(result.to_json()) | {"scores": []}))


def test_keys_that_a_later_version_adds_are_passed_over(result: Result) -> None:
    table = json.loads(result.to_json())
    table["new"] = table["scores"][0]["new"] = table["real"]["new"] = table["scores"][0]["real"]["new"] = 1

    assert Result.from_json(json.dumps(table)) == result


def test_the_deviation_over_splits_is_kept_and_older_results_have_none(result: Result) -> None:
    score = dataclasses.replace(result.scores[0], splits=Splits(10, 0.1 + 0.2))
    apart = dataclasses.replace(result, scores=(score, *result.scores[1:]))
    table = json.loads(apart.to_json())

    jsonschema.validate(table, SCHEMA)
    assert Result.from_json(apart.to_json()) == apart
    assert score.metrics["pixels/fvd_splits_std"] == 0.1 + 0.2
    for older in table["scores"]:
        del older["splits"]
    assert Result.from_json(json.dumps(table)) == result


def test_scores_become_a_frame(result: Result) -> None:
    frame = score_frame(result)

    assert frame["value"][0] == result.value
    assert list(frame["protocol"]) == ["pixels", "long"]
    assert frame["real_clips"][0] == 6
