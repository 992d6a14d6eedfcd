"""A result in the forms in which others collect them: the Hugging Face hub, Every Eval Ever, and a row of a paper.

Sources: huggingface/hub-docs, eval-results.md and eval_results.yaml; evaleval/every_eval_ever,
eval.schema.json 0.2.1, and what 0.3.0 asks for besides.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fvd_bench.errors import ArgumentError, ResultError
from fvd_bench.escapes import escaped, in_latex, redact
from fvd_bench.evaluation.comparisons.ranking import is_ranked
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.metrics import METRICS
from fvd_bench.metrics.uncertainty import CONFIDENCE
from fvd_bench.reports.cells import over_splits
from fvd_bench.words import number, span

Relationship = Literal["first_party", "third_party", "collaborative", "other"]

_EEE = "0.2.1"

_LARGEST = sys.float_info.max
"""What stands for no bound: the schema wants a number, and JSON has no infinity."""

_METHOD = "influence of each video; of a metric without one, a jackknife that leaves out groups of videos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What others want to know of a result, and what is not in it.

    model: the generator, as the hub names it: OWNER/NAME. dataset: the real videos, likewise. revision: of the dataset.
    task: of the benchmark's eval.yaml. source: an http(s) address that shows how the scores came about. date: when that
    was, ISO 8601. organization: who measured. relationship: of them to the model. Each is empty where it is not known.
    """

    model: str = ""
    dataset: str = ""
    revision: str = ""
    task: str = ""
    source: str = ""
    date: str = ""
    organization: str = ""
    relationship: Relationship = "other"


def hub_yaml(result: Result, origin: Origin) -> str:
    """Write the YAML that goes into the folder .eval_results of a model on the Hugging Face hub: an entry a score.

    Raises ArgumentError where the origin does not say what an entry needs, and ResultError where there is no score.
    """
    scores = _scores(result)
    if not origin.dataset:
        raise ArgumentError("the hub's entries name a benchmark: pass --dataset OWNER/NAME")
    if origin.task and len(scores) > 1:
        raise ArgumentError(
            f"the result has {len(scores)} scores, and --task {origin.task} names the task of one: leave it out, and "
            "each gets PROTOCOL-METRIC as its task"
        )
    lines: list[str] = []
    for score in scores:
        lines += ["- dataset:", f"    id: {_quoted(origin.dataset)}"]
        lines.append(f"    task_id: {_quoted(origin.task or f'{score.protocol}-{score.metric}')}")
        lines += [f"    revision: {_quoted(origin.revision)}"] if origin.revision else []
        lines.append(f"  value: {_yaml_number(_value(score))}")
        lines += [f"  date: {_quoted(origin.date)}"] if origin.date else []
        lines += ["  source:", f"    url: {_quoted(origin.source)}"] if origin.source else []
        lines.append(f"  notes: {_quoted(_notes(score, result))}")
    return "\n".join(lines) + "\n"


def eee_json(result: Result, origin: Origin, *, now: float) -> str:
    """Write a record of Every Eval Ever. now: the time, in seconds since 1970.

    Paths of this machine are not part of it: videos are named by the end of their path, and by their fingerprint.
    Raises ArgumentError where the origin does not say what a record needs, and ResultError where there is no score.
    """
    for name in ("model", "organization"):
        if not getattr(origin, name):
            raise ArgumentError(f"a record of Every Eval Ever names the {name}: pass --{name}")
    record: dict[str, Any] = {
        "schema_version": _EEE,
        "evaluation_id": f"fvd-bench/{origin.model}/{now:.0f}",
        "retrieved_timestamp": f"{now:.0f}",
        "source_metadata": {
            "source_name": "fvd-bench",
            "source_type": "evaluation_run",
            "source_organization_name": origin.organization,
            "evaluator_relationship": origin.relationship,
            **({"additional_details": {"source": origin.source}} if origin.source else {}),
        },
        "eval_library": {
            "name": "fvd-bench",
            "version": result.fvd_bench,
            "additional_details": {name: str(text) for name, text in result.environment.items()},
        },
        "model_info": {
            "name": origin.model.rpartition("/")[2],
            "id": origin.model,
            "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"},  # from 0.3.0 on
        },
        "evaluation_results": [_evaluation(score, result, origin) for score in _scores(result)],
    }
    if origin.date:
        record["evaluation_timestamp"] = origin.date
    return json.dumps(record, indent=2, allow_nan=False) + "\n"


def latex_row(result: Result, origin: Origin) -> str:
    """Write a row for a table in LaTeX, the generator and its scores, with their signatures as notes below the table.

    The notes are those of the package threeparttable, since a footnote within a floating table is lost. Raises
    ResultError where there is no score.
    """
    scores = _scores(result)
    cells, notes = [], []
    for place, score in enumerate(scores, 1):
        known = [span(score.interval)] if score.interval else []
        known += [over_splits(score)] if score.splits else []
        beside = f" ({'; '.join(known)})" if known else ""
        spread = f" ± {number(score.std)}" if score.std is not None else ""
        cells.append(f"{in_latex(number(_value(score)) + spread + beside)}\\tnote{{{place}}}")
        parts = "|\\allowbreak ".join(map(in_latex, score.signature.split("|")))
        notes.append(f"\\item[{place}] {{\\ttfamily {parts}}}")
    columns = ["model", *(f"{score.metric.upper()} by {score.protocol}" for score in scores)]
    row = " & ".join([in_latex(origin.model or _end(result.fake.path)), *cells])
    lines = [
        f"% {escaped(' & '.join(columns))}",
        f"{row} \\\\",
        "% below the tabular, in a threeparttable:",
        "\\begin{tablenotes}",
        *notes,
        "\\end{tablenotes}",
    ]
    return "\n".join(lines) + "\n"


def _scores(result: Result) -> Sequence[Score]:
    """Return the scores that have a value, without windows and scales of motion. Raises ResultError."""
    if not (found := [score for score in result.scores if score.value is not None and is_ranked(score)]):
        raise ResultError("there is no score to export")
    return found


def _value(score: Score) -> float:
    assert score.value is not None  # by _scores
    return score.value


def _evaluation(score: Score, result: Result, origin: Origin) -> dict[str, Any]:
    low, high = METRICS[score.metric].range if score.metric in METRICS else (-math.inf, math.inf)
    details = {
        "signature": score.signature,
        "digest": score.digest,
        "protocol_version": str(score.protocol_version),
        "repeats": str(len(score.values)),
        "seed": str(score.seed),
        "real_clips": score.real.counted(unknown="unknown"),
        "fake_clips": score.fake.counted(unknown="unknown"),
        "fake_fingerprint": result.fake.fingerprint,
    }
    if score.floor is not None:
        details["floor"] = repr(score.floor.value)
    if score.splits is not None:
        details |= {"splits": str(score.splits.count), "splits_std": repr(score.splits.std)}
    return {
        "evaluation_name": f"{score.protocol}-{score.metric}",
        "source_data": _source_data(result, origin),
        "metric_config": {
            "evaluation_description": f"{score.metric.upper()} under the protocol {score.protocol}",
            "lower_is_better": score.lower_is_better,
            "score_type": "continuous",
            "min_score": low if math.isfinite(low) else -_LARGEST,
            "max_score": high if math.isfinite(high) else _LARGEST,
        },
        "score_details": {
            "score": score.value,
            "details": {name: escaped(text) for name, text in details.items()},
            **({"uncertainty": uncertainty} if (uncertainty := _uncertainty(score)) else {}),
        },
    }


def _source_data(result: Result, origin: Origin) -> dict[str, Any]:
    details = {"fingerprint": result.real.fingerprint, "videos": str(result.real.videos)}
    if not origin.dataset:
        name = escaped(_end(result.real.path))
        return {"dataset_name": name, "source_type": "other", "additional_details": details}
    revision = {"revision": origin.revision} if origin.revision else {}
    return {
        "dataset_name": origin.dataset.rpartition("/")[2],
        "source_type": "hf_dataset",
        "hf_repo": origin.dataset,
        "samples_number": result.real.videos,
        "additional_details": details | revision,
    }


def _uncertainty(score: Score) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if score.error_real is not None and score.error_fake is not None:
        error = math.hypot(score.error_real, score.error_fake)
        found["standard_error"] = {"value": error, "method": _METHOD}
    if score.interval is not None:
        low, high = score.interval
        found["confidence_interval"] = {"lower": low, "upper": high, "confidence_level": CONFIDENCE}
    return found


def _notes(score: Score, result: Result) -> str:
    interval = f"; 95 % interval {span(score.interval)}" if score.interval else ""
    floor = f"; floor {number(score.floor.value)}" if score.floor else ""
    splits = f"; {over_splits(score)}" if score.splits else ""
    return f"fvd-bench {result.fvd_bench}; {score.signature}{splits}{interval}{floor}"


def _end(path: str) -> str:
    """Return the last part of a path or an address, which says nothing of the machine or of passwords."""
    return redact(os.path.basename(path.rstrip("/"))) or "videos"  # noqa: PTH119 - it may be an address


def _quoted(text: str) -> str:
    """Write a text in YAML, whatever is in it: as a string of JSON, in which all but ASCII is written by number."""
    return re.sub("[^ -~]", _numbered, json.dumps(escaped(text), ensure_ascii=False))


def _numbered(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"  # not the two halves that JSON has


def _yaml_number(value: float) -> str:
    """Write a number with all digits. In YAML 1.1 one with an exponent has a point and a sign, or it is a text."""
    mantissa, e, exponent = repr(value).partition("e")
    if not e:
        return mantissa
    return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent):+03d}"
