"""Files of results: a result, or several that were ranked; read, written, and compared with each other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fvd_bench.errors import NotComparableError, ResultError
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.comparisons.comparability import notes, pairs, require_same_inputs
from fvd_bench.evaluation.comparisons.ranking import Contrast, Entrant, RankedScore, Ranking, is_ranked, ranking
from fvd_bench.evaluation.result import Result, read_text
from fvd_bench.evaluation.result_features import ResultFeatures, spread_of
from fvd_bench.evaluation.score import Score
from fvd_bench.paths import distinct_names, user_path
from fvd_bench.records import fault, json_object, record

SCHEMA = 1
"""The schema of the JSON of a ranking. That of a result has another number."""

_KIND = "ranking"


def ranking_json(ranked: Ranking) -> str:
    """Return JSON text: every result as a document of its own schema, and the ranking."""
    table = {
        "schema": SCHEMA,
        "kind": _KIND,
        "results": [{"name": name, "result": json.loads(r.to_json())} for name, r in ranked.results.items()],
        "ranking": [
            {
                "metric": score.first.metric,
                "protocol": score.first.protocol,
                "row": score.first.row,
                "lower_is_better": score.first.lower_is_better,
                "order": [
                    {"name": name, "score": ranked.results[name].scores.index(s), "value": s.value}
                    for name, s in score.scores.items()
                ],
                "contrasts": [asdict(contrast) for contrast in score.contrasts],
            }
            for score in ranked.scores
        ],
        "notes": list(ranked.notes),
    }
    return json.dumps(table, indent=2, allow_nan=False) + "\n"


def ranking_from_json(text: str) -> Ranking:
    """Read what `ranking_json` wrote. Raises ResultError when the text is no ranking of this schema."""
    try:
        table = json.loads(text)
        if (table["schema"], table["kind"]) != (SCHEMA, _KIND):
            raise ResultError(f"not a ranking of schema {SCHEMA}, but of {table['schema']!r:.60}")
        results = {str(entry["name"]): Result.from_json(json.dumps(entry["result"])) for entry in table["results"]}
        scores = [_ranked(entry, results, f"the ranking[{place}]") for place, entry in enumerate(table["ranking"])]
        if not scores:
            raise ResultError(f"not a ranking of schema {SCHEMA}: it ranks by no score")
        return Ranking(results, tuple(scores), record(tuple[str, ...], table["notes"], "the notes"))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ResultError(f"not a ranking of schema {SCHEMA}: {fault(error)}") from error


def read_all(files: Sequence[Path]) -> dict[str, Entrant]:
    """Read all results of some files, with features that are kept beside them.

    Returns name -> result. A result is named after its file, in a ranking it has its name, and where names would be the
    same, parts of the path are put before them. Raises ResultError.
    """
    found: dict[str, Entrant] = {}
    for file, of_file in zip(files, distinct_names([os.fspath(f).removesuffix(".json") for f in files]), strict=True):
        held = read(file)
        for number, (name, result) in enumerate(held.results.items() if isinstance(held, Ranking) else [("", held)]):
            features = result_features.kept(user_path(file), result, number if name else None)
            found[f"{of_file}: {name}" if name and len(files) > 1 else name or of_file] = _entrant(result, features)
    return found


def read(file: Path) -> Result | Ranking:
    """Read a result, or a ranking of several. Raises ResultError, which names the file."""
    text = read_text(user_path(file))
    try:
        return ranking_from_json(text) if _is_ranking(text) else Result.from_json(text)
    except ResultError as error:
        raise ResultError(f"{file}: {error}") from error


def holds_several(file: Path) -> bool:
    """Return whether a file is a ranking. Raises ResultError when it cannot be read."""
    return _is_ranking(read_text(user_path(file)))


def compare_all(files: Sequence[Path]) -> Ranking:
    """Rank the results of some files, one or more. A single ranking is returned as it was made.

    Raises NotComparableError, naming what differs, and ResultError.
    """
    if len(files) == 1 and isinstance(held := read(files[0]), Ranking):
        return held
    return ranked(read_all(files))


def ranked(entrants: Mapping[str, Entrant]) -> Ranking:
    """Rank results by the scores that all of them have. Raises NotComparableError, naming what differs, and
    ResultError."""
    if len(entrants) < 2:
        raise ResultError(f"{', '.join(entrants)} is one result: a comparison is of two or more")
    results = {name: entrant.result for name, entrant in entrants.items()}
    whole, said = alike(results)
    if not (judged := [scores for scores in whole if is_ranked(scores[0])]):
        raise NotComparableError(
            f"not comparable: windows and scales of motion are all that {', '.join(results)} have in common"
        )
    return ranking(entrants, judged, said)


def alike(results: Mapping[str, Result]) -> tuple[list[list[Score]], list[str]]:
    """Return the scores that all results have, one of each result, and notes on differences that do not matter.

    Raises NotComparableError, naming what differs.
    """
    (first, one), *others = results.items()
    found: dict[int, list[Score]] = {id(score): [score] for score in one.scores}
    said = []
    for name, other in others:
        try:
            require_same_inputs(one, weights=other.weights, real_fingerprint=other.real.fingerprint)
            paired = pairs(one, other)
        except NotComparableError as error:
            raise NotComparableError(f"{name} with {first}: {error}") from error
        for a, b in paired:
            found[id(a)].append(b)
        said += [f"{name} after {first}: {note}" for note in notes(one, other, paired)]
    whole = [scores for scores in found.values() if len(scores) == len(results)]
    if not whole:
        raise NotComparableError(f"not comparable: no score is in all of {', '.join(results)}")
    return whole, said


def _entrant(result: Result, features: ResultFeatures | None) -> Entrant:
    spreads = {score.digest: spread_of(score, features, result) for score in result.scores}
    known = {digest: spread for digest, spread in spreads.items() if spread is not None}
    return Entrant(result, known, features.fake_names if features else None)


def _is_ranking(text: str) -> bool:
    table = json_object(text)
    return table is not None and table.get("kind") == _KIND


def _ranked(entry: Mapping[str, Any], results: Mapping[str, Result], where: str) -> RankedScore:
    scores = {str(place["name"]): results[place["name"]].scores[place["score"]] for place in entry["order"]}
    if scores.keys() != results.keys():
        raise ValueError(f"{where}.order names {', '.join(scores) or 'nothing'}: expected each of the results")
    contrasts: tuple[Contrast, ...] = record(tuple[Contrast, ...], entry["contrasts"], f"{where}.contrasts")
    if unknown := {name for contrast in contrasts for name in (contrast.a, contrast.b)} - set(scores):
        raise ValueError(f"{where}.contrasts is about {', '.join(unknown)}: expected names of its order")
    return RankedScore(scores, contrasts)
