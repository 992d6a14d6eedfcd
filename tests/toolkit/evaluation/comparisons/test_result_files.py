"""Files of several results: their contract, and the ranking of what lies in several files."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from fvd_bench.errors import NotComparableError, ResultError
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.comparisons.rank import open_ranking, run
from fvd_bench.evaluation.comparisons.result_files import compare_all, ranking_from_json, ranking_json, read, read_all
from fvd_bench.evaluation.result import Result
from fvd_bench.progress import silent
from fvd_bench.protocols.windows import WINDOW
from fvd_bench.settings import Settings

_NUMBER_OR_NULL = {"type": ["number", "null"]}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["schema", "kind", "results", "ranking", "notes"],
    "properties": {
        "schema": {"const": 1},
        "kind": {"const": "ranking"},
        "results": {
            "type": "array",
            "minItems": 2,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "result"],
                "properties": {"name": {"type": "string"}, "result": {"type": "object"}},
            },
        },
        "ranking": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["metric", "protocol", "row", "lower_is_better", "order", "contrasts"],
                "properties": {
                    "metric": {"type": "string"},
                    "protocol": {"type": "string"},
                    "row": {"type": ["string", "null"]},
                    "lower_is_better": {"type": "boolean"},
                    "order": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["name", "score", "value"],
                            "properties": {
                                "name": {"type": "string"},
                                "score": {"type": "integer", "minimum": 0},
                                "value": _NUMBER_OR_NULL,
                            },
                        },
                    },
                    "contrasts": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": "a b change error paired p corrected is_real".split(),
                            "properties": {
                                "a": {"type": "string"},
                                "b": {"type": "string"},
                                "change": {"type": "number"},
                                "error": _NUMBER_OR_NULL,
                                "paired": {"type": "boolean"},
                                "p": _NUMBER_OR_NULL,
                                "corrected": _NUMBER_OR_NULL,
                                "is_real": {"type": ["boolean", "null"]},
                            },
                        },
                    },
                },
            },
        },
        "notes": {"type": "array", "items": {"type": "string"}},
    },
}


NAMES = ("good", "also_good", "bad")


@pytest.fixture(scope="module")
def made(tmp_path_factory, sets: Path, write_pixels_protocol) -> Path:
    """A ranking of three sets with its features, and each of its results in a file of its own with those."""
    root: Path = tmp_path_factory.mktemp("ranking")
    protocol, settings = write_pixels_protocol(root), Settings(cache=None)
    with open_ranking(
        sets / "real",
        {name: sets / name for name in NAMES},
        protocol,
        repeats=1,
        seed=0,
        settings=settings,
        progress=silent,
    ) as evaluations:

        def keep(name: str, collection: Collection, result: Result) -> None:
            result.write(root / f"{name}.json")
            for place in (None, NAMES.index(name)):
                beside = result_features.beside(root / ("ranking.json" if place is not None else f"{name}.json"), place)
                result_features.save(beside, collection, result)

        ranked = run(evaluations, keep)
    (root / "ranking.json").write_text(ranking_json(ranked))
    return root


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    """A copy of the ranking with all that lies beside it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "ranking.json"


@pytest.fixture
def singles(file: Path) -> list[Path]:
    """The single results, without features beside them."""
    for name in NAMES:
        file.with_name(f"{name}.npz").unlink()
    return [file.with_name(f"{name}.json") for name in NAMES]


def test_the_json_of_a_ranking_keeps_its_contract(file: Path) -> None:
    table = json.loads(file.read_text())

    jsonschema.validate(table, SCHEMA)
    results = {entry["name"]: entry["result"] for entry in table["results"]}
    for place in table["ranking"][0]["order"]:
        assert results[place["name"]]["scores"][place["score"]]["value"] == place["value"]
    assert [result["schema"] for result in results.values()] == [1, 1, 1]
    assert table["ranking"][0]["order"][2]["name"] == "bad"


def test_a_ranking_is_read_back_exactly(file: Path) -> None:
    ranked = read(file)

    assert ranking_from_json(ranking_json(ranked)) == ranked
    assert compare_all([file]) == ranked


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"results": 3}, {"results": []}, {"notes": [1]}, {"ranking": [{"order": []}]},
        {"ranking": []}, {"ranking": [{"order": [], "contrasts": []}]},
        {"results": [{"name": "a", "result": {"schema": 1}}]},
    ],
)  # fmt: skip
def test_what_is_no_ranking_is_refused(file: Path, change: dict[str, object]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change))

    with pytest.raises(ResultError, match=r"ranking\.json: not a r"):
        read(file)


def test_single_results_and_rankings_are_compared_alike(file: Path) -> None:
    files = [file.with_name(f"{name}.json") for name in NAMES]

    mixed = compare_all([file, files[0]])

    assert compare_all(files).scores == compare_all([file]).scores
    assert list(mixed.results) == ["ranking: good", "ranking: also_good", "ranking: bad", "good"]
    same = next(c for c in mixed.scores[0].contrasts if (c.a, c.b) == ("ranking: good", "good"))
    assert (same.change, same.paired, same.is_real) == (0, True, False)


def test_without_features_errors_come_from_the_results(singles: list[Path]) -> None:
    contrasts = compare_all(singles).scores[0].contrasts

    assert [(c.paired, c.is_real) for c in contrasts] == [(False, False), (False, True), (False, True)]


def test_results_against_other_real_videos_are_not_ranked(singles: list[Path]) -> None:
    table = json.loads(singles[2].read_text())
    table["real"]["fingerprint"] = "0" * 64
    singles[2].write_text(json.dumps(table))

    with pytest.raises(NotComparableError, match="bad with good: not comparable: the real videos: fingerprint"):
        compare_all(singles)


def test_results_that_share_windows_alone_are_not_ranked(singles: list[Path]) -> None:
    for file in singles:
        table = json.loads(file.read_text())
        for score in table["scores"]:
            score["row"] = f"{WINDOW}0-15"
        file.write_text(json.dumps(table))

    with pytest.raises(
        NotComparableError, match="windows and scales of motion are all that good, also_good, bad have in common"
    ):
        compare_all(singles)


def test_one_result_is_nothing_to_rank(singles: list[Path]) -> None:
    with pytest.raises(ResultError, match="good is one result: a comparison is of two or more"):
        compare_all(singles[:1])


def test_results_of_one_name_are_told_apart_by_their_folders(singles: list[Path], tmp_path: Path) -> None:
    files = [tmp_path / run / "result.json" for run in ("a", "b")]
    for copy in files:
        copy.parent.mkdir()
        copy.write_text(singles[0].read_text())

    assert list(read_all(files)) == ["a", "b"]
