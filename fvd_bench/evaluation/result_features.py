"""Features kept beside a result, as FILE.npz beside FILE.json, so that later comparisons see each video."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.atomic import partial_file
from fvd_bench.errors import OutputError, ResultError, cause
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import METRICS
from fvd_bench.metrics.uncertainty import Sides, Spread
from fvd_bench.protocols.rules import SIDES, MetricRule
from fvd_bench.records import record
from fvd_bench.videos.files import bare_name, regular_file

if TYPE_CHECKING:
    from fvd_bench.evaluation.collection import Collection


@dataclass(frozen=True, slots=True)
class ResultFeatures:
    """The features behind a result.

    repeats: digest of a score -> the features of both sides in each repeat.
    fake_names: names of the fake videos without a file's suffix, in listing order.
    """

    repeats: Mapping[str, Sequence[Sides]]
    fake_names: list[str]


_OF, _NAMES, _OWNERS, _LIKE = "of", "fake_names", "/owners", "/like"


def beside(result_file: Path, place: int | None = None) -> Path:
    """Return where the features of the result in this file are kept. place: of the result in a ranking."""
    name = result_file.name.removesuffix(".json")
    return result_file.with_name(f"{name}.npz" if place is None else f"{name}.{place}.npz")


def is_foreign(file: Path) -> bool:
    """Return whether something else than features of a result lies there, such as statistics, or videos as arrays.

    What is no whole archive may be a damaged file of features, and is not foreign.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return f"{_OF}.npy" not in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def check_place(file: Path) -> None:
    """Raise OutputError where `save` would replace something else than features of a result."""
    if is_foreign(file):
        raise OutputError(
            f"{file} is where features are kept beside the result, and holds something else, which is not replaced: "
            "give the result another name"
        )


def features(collection: Collection) -> ResultFeatures:
    """Return all features of an evaluation."""
    evaluation = collection.evaluation
    served = [protocol for protocol in evaluation.protocols if protocol not in evaluation.unserved]
    repeats: dict[str, Sequence[Sides]] = {}
    for protocol in served:
        of_protocol = list(collection.repeats(protocol))
        repeats |= {protocol.alone(metric).digest(): of_protocol for metric in protocol.metric.names}
    return ResultFeatures(repeats, [bare_name(name) for name in evaluation.sources["fake"].names])


def save(file: Path, collection: Collection, result: Result) -> None:
    """Write the features of an evaluation. Equal repeats, and the same features for several metrics, are written once.

    Sides of which only the moments were kept are left out. Raises ResultError, and OutputError as `check_place` does.
    """
    with _saved(file, collection, result):
        pass


def replace(result_file: Path, collection: Collection, result: Result) -> None:
    """Write a result and its features as `Waiting` does."""
    with waiting() as features:
        features.add(beside(result_file), collection, result)
        features.write(result_file, result.to_json())


class Waiting:
    """Features that are written already, and get their names when the file of their results is written.

    Whenever the process ends, there is that file or the one that it replaces, and beside it lie its features or none.
    """

    def __init__(self, held: contextlib.ExitStack) -> None:
        self._held = held
        self._partial: dict[Path, Path] = {}

    def add(self, file: Path, collection: Collection, result: Result) -> None:
        """Write the features of an evaluation, which belong into this file. Raises what `save` does."""
        self._partial[file] = self._held.enter_context(_saved(file, collection, result))

    def write(self, result_file: Path, text: str) -> list[Path]:
        """Write the file of all results, and let their features have their names. Return all that was written. Raises
        ResultError."""
        try:
            with partial_file(result_file) as partial:
                partial.write_text(text, "utf-8")
                for file, features in self._partial.items():
                    if file.is_file():
                        shutil.copymode(file, features)
                        file.resolve().unlink()
        except OSError as error:
            raise ResultError(f"{result_file} cannot be written: {cause(error)}") from error
        self._held.pop_all().close()
        return [result_file, *self._partial]


class _NeverWrittenError(Exception):
    """The file of the results was not written."""


@contextlib.contextmanager
def waiting() -> Iterator[Waiting]:
    """Give a place for features to wait in. Those that still wait when the block ends are removed."""
    with contextlib.suppress(_NeverWrittenError), contextlib.ExitStack() as held:
        yield Waiting(held)
        raise _NeverWrittenError


@contextlib.contextmanager
def _saved(file: Path, collection: Collection, result: Result) -> Iterator[Path]:
    """Write the features of an evaluation, and yield where they are until the block ends. Raises what `save` does."""
    check_place(file)
    found = features(collection)
    arrays: dict[str, Any] = {_OF: np.array(_identity(result)), _NAMES: np.array(found.fake_names)}
    first: dict[int, str] = {}
    for digest, repeats in found.repeats.items():
        if (like := first.setdefault(id(repeats), digest)) != digest:
            arrays[f"{digest}{_LIKE}"] = np.array(like)
            continue
        for side in SIDES:
            for number, values in enumerate(sides[side].features() for sides in repeats):
                name = f"{digest}/{side}"
                if values is None or (number and np.array_equal(arrays[f"{name}/0"], values)):
                    continue
                arrays[f"{name}/{number}"] = values
                arrays[f"{name}/{number}{_OWNERS}"] = repeats[number][side].owners()
    try:
        with partial_file(file) as partial:
            with partial.open("wb") as out:
                np.savez(out, **arrays)  # before NumPy 2.1 `allow_pickle` would be an array of that name
            yield partial
    except OSError as error:
        raise ResultError(f"{file} cannot be written: {cause(error)}") from error


def load(file: Path, result: Result) -> ResultFeatures:
    """Read the features that `save` wrote for a result.

    Raises ResultError when the file is damaged, or belongs to another result.
    """
    try:
        regular_file(file)
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            if str(arrays[_OF]) != _identity(result):
                raise ResultError(
                    f"{file} holds features of another result: delete it to do without, or put the right one there"
                )
            repeats: dict[str, Sequence[Sides]] = {}
            for score in result.scores:
                like = f"{score.digest}{_LIKE}"
                digest = str(arrays[like]) if like in arrays else score.digest
                if all(f"{digest}/{side}/0" in arrays for side in SIDES):
                    repeats[score.digest] = [_repeat(arrays, digest, number) for number in range(len(score.values))]
            return ResultFeatures(repeats, [str(name) for name in arrays[_NAMES]])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ResultError(f"{file} cannot be read as kept features: {cause(error)}; delete it to do without") from error


def kept(file: Path, result: Result, place: int | None = None) -> ResultFeatures | None:
    """Read the features that lie beside the file of a result, if any do. place: of the result in a ranking.

    What else may have that name is left alone. Raises ResultError.
    """
    found = beside(file, place)
    return load(found, result) if found.exists() and not is_foreign(found) else None


def spread_of(score: Score, features: ResultFeatures | None, result: Result) -> Spread | None:
    """Return what each fake video contributes to a score, None where its features are not at hand."""
    repeats = features.repeats.get(score.digest) if features else None
    choices = result.protocols.get(score.digest)
    if not repeats or not choices or score.metric not in METRICS:
        return None
    known = {f"metric.{f.name}": f.name for f in fields(MetricRule)}  # a later version may have more
    try:
        rule: MetricRule = record(MetricRule, {known[key]: value for key, value in choices.items() if key in known}, "")
    except ValueError as error:
        raise ResultError(f"the choices of {score.protocol} are none of a protocol: {error}") from error
    spread = Spread(score.metric, rule)
    for sides in repeats:
        spread.add(sides)
    return spread


def _repeat(arrays: Mapping[str, NDArray[np.generic]], digest: str, repeat: int) -> Sides:
    sides = {}
    for side in SIDES:
        name = f"{digest}/{side}/{repeat}"
        name = name if name in arrays else f"{digest}/{side}/0"
        values, owners = arrays[name], arrays[f"{name}{_OWNERS}"]
        if values.ndim != 2 or owners.shape != values.shape[:1]:
            raise ValueError(f"{name} is of shape {values.shape}, its owners of {owners.shape}")
        if not values.size or values.dtype.kind != "f" or owners.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {values.size} values of type {values.dtype}, its owners {owners.dtype}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite")
        sides[side] = FeatureSet.of(values.astype(np.float32), owners.astype(np.int64))
    return sides


def _identity(result: Result) -> str:
    """Return the sha256 of what made the scores, and of the scores."""
    scores = [(score.metric, score.digest, score.seed, score.values) for score in result.scores]
    text = json.dumps([result.real.fingerprint, result.fake.fingerprint, dict(result.weights), scores], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
