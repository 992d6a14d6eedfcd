"""Exports are what their readers ask for, whatever names are in a result.

The schemas are written from what is published: huggingface/hub-docs, eval-results.md (as of commit
064c754), and evaleval/every_eval_ever, eval.schema.json 0.2.1 (as of commit 0666632) and 0.3.0 (as in the package
every-eval-ever).
"""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml

from fvd_bench.errors import ArgumentError, ResultError
from fvd_bench.evaluation.result import Result
from fvd_bench.reports.exports import Origin, eee_json, hub_yaml, latex_row
from fvd_bench.reports.exports import _yaml_number as yaml_number
from tests.program import fvd_bench

TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
HUB = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["dataset", "value"],
        "additionalProperties": False,
        "properties": {
            "dataset": {
                "type": "object",
                "required": ["id", "task_id"],
                "additionalProperties": False,
                "properties": {"id": {**TEXT, "pattern": "^[^/]+/[^/]+$"}, "task_id": TEXT, "revision": TEXT},
            },
            "value": {"type": "number"},
            "verifyToken": TEXT,
            "date": TEXT,
            "source": {
                "type": "object",
                "required": ["url"],
                "additionalProperties": False,
                "properties": {"url": TEXT, "name": TEXT, "user": TEXT},
            },
            "evaluation_framework": TEXT,
            "notes": TEXT,
        },
    },
}
NUMBER = {"type": "number"}
EEE = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
        "evaluation_results",
    ],
    "properties": {
        "schema_version": {"const": "0.2.1"},
        "evaluation_id": TEXT,
        "evaluation_timestamp": TEXT,
        "retrieved_timestamp": {**TEXT, "pattern": "^[0-9]+$"},
        "source_metadata": {
            "type": "object",
            "required": ["source_type", "source_organization_name", "evaluator_relationship"],
            "properties": {
                "source_name": TEXT,
                "source_type": {"enum": ["documentation", "evaluation_run"]},
                "source_organization_name": TEXT,
                "evaluator_relationship": {"enum": ["first_party", "third_party", "collaborative", "other"]},
                "additional_details": TEXTS,
            },
        },
        "eval_library": {
            "type": "object",
            "required": ["name", "version"],
            "properties": {"name": TEXT, "version": TEXT, "additional_details": TEXTS},
        },
        "model_info": {  # the details are asked for from 0.3.0 on
            "type": "object",
            "required": ["name", "id", "additional_details"],
            "properties": {
                "name": TEXT,
                "id": TEXT,
                "additional_details": {**TEXTS, "required": ["deployment_type", "model_availability"]},
            },
        },
        "evaluation_results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["evaluation_name", "source_data", "metric_config", "score_details"],
                "properties": {
                    "evaluation_name": TEXT,
                    "source_data": {
                        "oneOf": [
                            {
                                "required": ["dataset_name", "source_type"],
                                "properties": {
                                    "dataset_name": TEXT,
                                    "source_type": {"const": "hf_dataset"},
                                    "hf_repo": TEXT,
                                    "samples_number": {"type": "integer"},
                                    "additional_details": TEXTS,
                                },
                            },
                            {
                                "required": ["dataset_name", "source_type"],
                                "properties": {
                                    "dataset_name": TEXT,
                                    "source_type": {"const": "other"},
                                    "additional_details": TEXTS,
                                },
                            },
                        ]
                    },
                    "metric_config": {  # continuous scores have bounds
                        "type": "object",
                        "required": ["lower_is_better", "score_type", "min_score", "max_score"],
                        "properties": {
                            "lower_is_better": {"type": "boolean"},
                            "score_type": {"const": "continuous"},
                            "min_score": NUMBER,
                            "max_score": NUMBER,
                        },
                    },
                    "score_details": {
                        "type": "object",
                        "required": ["score"],
                        "properties": {
                            "score": NUMBER,
                            "details": TEXTS,
                            "uncertainty": {
                                "type": "object",
                                "properties": {
                                    "standard_error": {
                                        "required": ["value"], "properties": {"value": NUMBER, "method": TEXT},
                                    },
                                    "confidence_interval": {
                                        "required": ["lower", "upper"],
                                        "properties": {
                                            "lower": NUMBER,
                                            "upper": NUMBER,
                                            "confidence_level": {"type": "number", "minimum": 0, "maximum": 1},
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip

EVIL = (
    "=cmd|' /C calc'!A1 \x1b[2J\n- dataset: {id: \"x\"} # \\input{/etc/passwd} $x$ & % _ \ud83d\ufffe\U0001f600\u2028"
)
ORIGIN = Origin(
    model="me/videos", dataset="me/faces", revision="abc", source="https://example.org/log", date="2026-01-31",
    organization="Us", relationship="first_party",
)  # fmt: skip


@pytest.fixture(scope="module")
def result(showing) -> Result:
    found: Result = showing[0]
    return found


@pytest.fixture
def evil(result: Result) -> Result:
    """With names that terminals, YAML, LaTeX and spreadsheets would obey."""
    (score,) = result.scores
    sides = {side: replace(getattr(result, side), path=f"/home/me/{EVIL}") for side in ("real", "fake")}
    scores = (replace(score, signature=f"{score.signature}|{EVIL}", protocol=EVIL), replace(score, protocol="b"))
    return replace(result, scores=scores, **sides)


@pytest.mark.parametrize("origin", [ORIGIN, Origin(dataset="me/faces")])
def test_the_hub_gets_an_entry_for_each_score(result: Result, origin: Origin) -> None:
    (score,) = result.scores

    (entry,) = found = yaml.safe_load(hub_yaml(result, origin))

    jsonschema.validate(found, HUB)
    assert entry["value"] == score.value and score.signature in entry["notes"]
    assert entry["dataset"]["task_id"] == f"{score.protocol}-{score.metric}"
    assert entry.get("date") == (origin.date or None)
    assert yaml.safe_load(hub_yaml(result, replace(origin, task="fvd")))[0]["dataset"]["task_id"] == "fvd"


@pytest.mark.parametrize("value", [1e-9, -1.5e300, 0.1 + 0.2, 5e16, 7.0, 2.5e-7])
def test_numbers_in_yaml_keep_all_digits(value: float) -> None:
    assert yaml.safe_load(f"value: {yaml_number(value)}") == {"value": value}


@pytest.mark.parametrize("dataset", ["me/faces", ""])
def test_every_eval_ever_gets_a_record(result: Result, dataset: str) -> None:
    (score,) = result.scores

    record = json.loads(eee_json(result, replace(ORIGIN, dataset=dataset), now=1e9))

    jsonschema.validate(record, EEE)
    (found,) = record["evaluation_results"]
    assert found["score_details"]["score"] == score.value and found["metric_config"]["lower_is_better"]
    assert found["metric_config"]["min_score"] <= 0 and found["metric_config"]["max_score"] > 1e300
    interval = found["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == score.interval
    assert score.error_real is not None and score.error_fake is not None
    error = math.hypot(score.error_real, score.error_fake)
    standard_error = found["score_details"]["uncertainty"]["standard_error"]
    assert standard_error["value"] == pytest.approx(error)
    assert "influence" in standard_error["method"] and "jackknife" in standard_error["method"]
    assert record["retrieved_timestamp"] == "1000000000"
    assert str(Path(result.real.path).parent) not in json.dumps(record), "no path of this machine"


def test_bounds_are_those_of_the_metric(result: Result) -> None:
    (score,) = result.scores
    bounded = replace(result, scores=(replace(score, metric="precision", lower_is_better=False),))

    (found,) = json.loads(eee_json(bounded, ORIGIN, now=0))["evaluation_results"]

    config = found["metric_config"]
    assert (config["min_score"], config["max_score"], config["lower_is_better"]) == (0, 1, False)


def test_windows_and_broken_motion_are_no_scores_of_their_own(result: Result) -> None:
    (score,) = result.scores
    more = [replace(score, row=row) for row in ("window-0-8", "scale-frozen")]

    assert hub_yaml(replace(result, scores=(score, *more)), ORIGIN) == hub_yaml(result, ORIGIN)


def test_a_row_of_a_paper_has_the_signature_as_a_note(result: Result) -> None:
    (score,) = result.scores

    lines = latex_row(result, ORIGIN).splitlines()

    assert re.fullmatch(r"me/videos & [0-9.]+ \$\\pm\$ [0-9.]+ \([0-9.]+ to [0-9.]+\)\\tnote\{1\} \\\\", lines[1])
    (note,) = [line for line in lines if line.startswith(r"\item[1]")]
    assert score.digest[:12] in note and r"\#" in note and "|" not in note.replace(r"|\allowbreak", "")


def test_names_are_shown_and_not_obeyed(evil: Result, tmp_path: Path) -> None:
    found = yaml.safe_load(hub_yaml(evil, ORIGIN))
    jsonschema.validate(found, HUB)
    assert len(found) == 2 and found[0]["dataset"]["id"] == "me/faces" and "\x1b" not in found[0]["notes"]
    assert "\U0001f600" in found[0]["notes"]

    record = json.loads(eee_json(evil, replace(ORIGIN, dataset=""), now=0))
    jsonschema.validate(record, EEE)
    assert "/home/me" not in json.dumps(record)

    lines = latex_row(evil, Origin()).splitlines()
    assert [line[:1] for line in lines] == ["%", *(line[:1] for line in lines[1:2]), "%", "\\", "\\", "\\", "\\"]
    assert r"\input" not in "".join(lines[1:]) and "\x1b" not in "".join(lines)

    evil.write(tmp_path / "evil.json")
    rows = list(csv.DictReader(io.StringIO(fvd_bench("export", tmp_path / "evil.json", "--format", "csv").stdout)))
    assert rows[0]["protocol"].startswith("'=cmd") and float(rows[0]["value"]) == evil.scores[0].value


def test_what_is_missing_is_said(result: Result, evil: Result) -> None:
    for make in (hub_yaml, lambda r, o: eee_json(r, o, now=0)):
        with pytest.raises(ArgumentError, match=r"pass --(dataset|model)"):
            make(result, Origin())
    with pytest.raises(ArgumentError, match="has 2 scores, and --task fvd names the task of one"):
        hub_yaml(evil, replace(ORIGIN, task="fvd"))
    none = replace(result, scores=tuple(replace(s, value=None, values=()) for s in result.scores))
    with pytest.raises(ResultError, match="there is no score to export"):
        latex_row(none, ORIGIN)


def test_the_command_line(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path / "result.json")
    about = ["--model", "me/videos", "--dataset", "me/faces", "--organization", "Us", "--date", "2026-01-31"]
    texts = {
        form: fvd_bench("export", tmp_path / "result.json", "--format", form, *about).stdout
        for form in ("hf", "eee", "csv", "latex")
    }

    jsonschema.validate(yaml.safe_load(texts["hf"]), HUB)
    jsonschema.validate(json.loads(texts["eee"]), EEE)
    assert texts["csv"].startswith("protocol,") and texts["latex"].startswith("% model & FVD by")
    for wrong in (["--date", "31.1.2026"], ["--source", "javascript:x"], ["--format", "xml"]):
        assert fvd_bench("export", tmp_path / "result.json", "--format", "hf", *wrong).returncode == 2


def test_a_file_of_several_results_is_refused(result: Result, tmp_path: Path) -> None:
    from fvd_bench.evaluation.comparisons.ranking import Entrant
    from fvd_bench.evaluation.comparisons.result_files import ranked, ranking_json

    both = ranked({name: Entrant(result, {}, None) for name in ("a", "b")})
    (tmp_path / "two.json").write_text(ranking_json(both))

    done = fvd_bench("export", tmp_path / "two.json", "--format", "csv")

    assert done.returncode == 3 and "holds several results: export takes one" in done.stderr
