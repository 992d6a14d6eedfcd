"""A manifest: exactly which frames of which videos a score was made from, as data that can be replayed elsewhere.

docs/manifest.md describes the JSON. Videos are known by the sha256 of their contents; their names are for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fvd_bench.atomic import write_text
from fvd_bench.errors import ManifestError, ProtocolError, VideoError, cause
from fvd_bench.evaluation.collection import Collection, collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.evaluation import Evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.paths import read_text
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.records import fault
from fvd_bench.records import record as typed
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike
from fvd_bench.version import __version__
from fvd_bench.videos.clips import Draw, drawn_length
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.sampling import Indices, clip_indices

SCHEMA = 1

Frames = tuple[int, ...]
"""Frame indices: the three numbers (start, stop, step) of a Python range, or a list of indices that form no range."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A video of a side's full listing. content: sha256 of its contents, None where it could not be read."""

    name: str
    content: str | None


@dataclass(frozen=True, slots=True)
class Used:
    """The frames that were taken of one video.

    place: its index in the listing of the side that is read, plus the listing's length for each time it was taken
    before.
    clips: for each clip `range` or `list`, and the numbers that describe its frames in that form.
    """

    place: int
    clips: tuple[tuple[str, Frames], ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one protocol took for one side in one repeat. reads: the side whose videos were taken."""

    protocol: str
    side: Side
    reads: Side
    seed: int
    videos: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a replay needs besides the videos.

    listings: the videos of each side, in order. protocols: those that could be served.
    seed, repeats: as in `evaluate`. values: (digest of a protocol, metric, value of each repeat).
    weights, environment: as in a `Result`.
    """

    fvd_bench: str
    seed: int
    repeats: int
    protocols: tuple[Protocol, ...]
    listings: Mapping[Side, tuple[Listed, ...]]
    draws: tuple[Drawn, ...]
    values: tuple[tuple[str, str, tuple[float, ...]], ...]
    weights: Mapping[str, str]
    environment: Mapping[str, str]

    def to_json(self) -> str:
        """Return JSON text of schema 1."""
        head = {
            "schema": SCHEMA,
            "fvd_bench": self.fvd_bench,
            "seed": self.seed,
            "repeats": self.repeats,
            "protocols": {p.digest(): p.to_table() for p in self.protocols},
            "scores": [{"protocol": digest, "metric": m, "values": values} for digest, m, values in self.values],
            "weights": dict(self.weights),
            "environment": dict(self.environment),
        }
        listings = {side: [[v.name, v.content] for v in listed] for side, listed in self.listings.items()}
        draws = [
            {
                "protocol": drawn.protocol,
                "side": drawn.side,
                "reads": drawn.reads,
                "seed": drawn.seed,
                "videos": [[v.place, [{kind: frames} for kind, frames in v.clips]] for v in drawn.videos],
            }
            for drawn in self.draws
        ]
        return json.dumps({**head, "listings": listings, "draws": draws}, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what `to_json` wrote. Raises ManifestError when the text is no manifest of this schema."""
        try:
            table = json.loads(text)
            if table["schema"] != SCHEMA:
                raise ManifestError(f"not a manifest of schema {SCHEMA}, but of {table['schema']!r}")
            found = cls(
                fvd_bench=str(table["fvd_bench"]),
                seed=typed(int, table["seed"], "seed"),
                repeats=typed(int, table["repeats"], "repeats"),
                protocols=tuple(_protocol(digest, table["protocols"][digest]) for digest in table["protocols"]),
                listings={side: tuple(_listed(*video) for video in table["listings"][side]) for side in SIDES},
                draws=tuple(_drawn(drawn) for drawn in table["draws"]),
                values=tuple(map(_values, table["scores"])),
                weights=typed(Mapping[str, str], table["weights"], "weights"),
                environment=typed(Mapping[str, str], table["environment"], "environment"),
            )
            if len(found.draws) != len(found.protocols) * len(SIDES) * found.repeats:
                raise ManifestError(
                    f"not a manifest of schema {SCHEMA}: it holds {len(found.draws)} draws, for {found.repeats} "
                    f"repeats of {len(found.protocols)} protocols"
                )
            return found
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, ProtocolError) as error:
            raise ManifestError(f"not a manifest of schema {SCHEMA}: {fault(error)}") from error

    def write(self, file: Path) -> None:
        """Write `to_json` to a file, whole or not at all. Raises ManifestError."""
        try:
            write_text(file, self.to_json())
        except OSError as error:
            raise ManifestError(f"{file} cannot be written: {cause(error)}") from error


def load(file: Path) -> Manifest:
    """Read the manifest in a file. Raises ManifestError."""
    try:
        return Manifest.from_json(read_text(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{file} cannot be read: {cause(error)}; expected a file that `compute --manifest` wrote"
        ) from error
    except ManifestError as error:
        raise ManifestError(f"{file}: {error}") from error


def evaluate_and_record(
    real: SourceLike,
    fake: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike],
    *,
    repeats: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> tuple[Result, Manifest]:
    """Do as `evaluate` does, and also return the manifest of what it used. Raises ManifestError as `check_recordable`
    does."""
    with open_evaluation(
        real, fake, protocol, repeats=repeats, seed=seed, settings=settings or Settings(), progress=progress
    ) as evaluation:
        check_recordable(evaluation)
        collection = collect(evaluation)
        result = result_of(collection)
        return result, record(collection, result)


def check_recordable(evaluation: Evaluation) -> None:
    """Raise ManifestError where a side is statistics that know no videos, so that no manifest could be replayed."""
    for side, opened in evaluation.sides.items():
        if opened.given.known is not None:
            raise ManifestError(
                f"the {side} side is statistics without single videos, so that no manifest can name their frames; give "
                "the videos, or a file of `fvd-bench stats` that holds the features of each"
            )


def record(collection: Collection, result: Result) -> Manifest:
    """Make the manifest of an open evaluation and its result. Raises VideoError and ManifestError."""
    evaluation = collection.evaluation
    protocols = recorded_protocols(collection)
    values = {score.digest: score.values for score in result.scores}
    return Manifest(
        fvd_bench=__version__,
        seed=evaluation.seeds[0],
        repeats=len(evaluation.seeds),
        protocols=protocols,
        listings={
            side: tuple(
                Listed(name, collection.extractions[side].contents.get(index))
                for index, name in enumerate(evaluation.sources[side].names)
            )
            for side in SIDES
        },
        draws=draws(collection),
        values=tuple((p.digest(), m, values[p.alone(m).digest()]) for p in protocols for m in p.metric.names),
        weights=result.weights,
        environment=result.environment,
    )


def recorded_protocols(collection: Collection) -> tuple[Protocol, ...]:
    """Return the protocols that were asked for and could be served. The scale of motion takes the frames of these."""
    evaluation = collection.evaluation
    return tuple(p for p in evaluation.protocols if p not in evaluation.unserved and p not in evaluation.rows)


def draws(collection: Collection) -> tuple[Drawn, ...]:
    """List the frames that every protocol took, from what is known of the videos' lengths."""
    found: list[Drawn] = []
    for protocol in recorded_protocols(collection):
        for side in SIDES:
            for job in collection.evaluation.jobs(protocol, side):
                taken = collection.collected[job]
                lengths = _lengths(collection, job.draw, taken.places, taken.lengths)
                videos = tuple(
                    Used(place, tuple(map(_compact, _indices(job.draw, place, length))))
                    for place, length in zip(taken.places, lengths, strict=True)
                )
                found.append(Drawn(protocol.digest(), side, job.draw.reads, job.draw.seed, videos))
    return tuple(found)


def _indices(draw: Draw, place: int, num_frames: int) -> list[Indices]:
    return clip_indices(num_frames, draw.rule, side=draw.side, seed=draw.seed, place=place)


def _lengths(collection: Collection, draw: Draw, places: Sequence[int], known: Sequence[int | None]) -> list[int]:
    """Return the lengths that clips were drawn for. Frames are counted where an old store does not tell the length."""
    source = collection.evaluation.sources[draw.reads]
    found = {place: length for place, length in zip(places, known, strict=True) if length is not None}

    def count(place: int) -> Iterator[int]:
        yield drawn_length(source.video(place % len(source.names)), draw.rule)

    unknown = [place for place in places if place not in found]
    try:
        found |= dict(in_order(unknown, count, workers=collection.evaluation.workers))
    except VideoError as error:
        raise ManifestError(f"the frames of a video in {source.name} cannot be counted again: {error}") from error
    return [found[place] for place in places]


def _compact(indices: Indices) -> tuple[str, Frames]:
    """Write frame indices as a range if they form one, else as a list."""
    first, last = int(indices[0]), int(indices[-1])
    step = int(indices[1]) - first if len(indices) > 1 else 1
    if step and np.array_equal(indices, first + step * np.arange(len(indices))):
        return "range", (first, last + (1 if step > 0 else -1), step)
    return "list", tuple(indices.tolist())


def _protocol(digest: str, table: Mapping[str, Any]) -> Protocol:
    protocol = Protocol.from_table(table, where=f"protocol {digest[:12]}")
    if protocol.digest() != digest:
        raise ManifestError(f"the choices of {protocol.name} are not those of its digest {digest[:12]}: it was changed")
    return protocol


def _values(score: Mapping[str, Any]) -> tuple[str, str, tuple[float, ...]]:
    protocol, metric = (typed(str, score[key], key) for key in ("protocol", "metric"))
    return protocol, metric, typed(tuple[float, ...], score["values"], "values")


def _listed(name: Any, content: Any) -> Listed:
    if not isinstance(name, str) or not isinstance(content, str | None):
        raise ManifestError(f"a video is listed as {name!r}, {content!r}: expected its name, and sha256 or null")
    return Listed(name, content)


def _drawn(table: Mapping[str, Any]) -> Drawn:
    if table["side"] not in SIDES or table["reads"] not in SIDES:
        raise ManifestError(f"there is no side named {table['side']!r} or {table['reads']!r}")
    for place, _ in table["videos"]:
        if type(place) is not int or place < 0:
            raise ManifestError(f"a video has the place {place!r}: expected 0 or more")
    videos = tuple(
        Used(place, tuple((kind, tuple(frames)) for clip in clips for kind, frames in clip.items()))
        for place, clips in table["videos"]
    )
    protocol, seed = typed(str, table["protocol"], "protocol"), typed(int, table["seed"], "seed")
    return Drawn(protocol, table["side"], table["reads"], seed, videos)
