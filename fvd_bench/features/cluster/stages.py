"""What each machine of a cluster does: digest videos, read their clips, run networks on clips. Tables in, tables out.

Nothing depends on which machine does what, in what order or how often: each row says to which entry of the feature
store it belongs, and a network gives a clip the same features in any company.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fvd_bench.errors import EngineError, FeatureError, VideoError
from fvd_bench.features.batches import FactsSoFar, check_features
from fvd_bench.features.jobs import Job
from fvd_bench.networks import NETWORKS, Features, create, environment, versions
from fvd_bench.paths import PathLike
from fvd_bench.plugins import allow_code
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.sources.opening import ClipSource
from fvd_bench.videos.clips import DrawEnd, DrawnClip, read_draws
from fvd_bench.videos.video import Pixels

Table = Any  # pyarrow has no type information

VIDEOS = pa.schema([("place", pa.int64()), ("content", pa.string()), ("keys", pa.list_(pa.string())),
                    ("jobs", pa.list_(pa.int32()))])  # fmt: skip
"""The videos to read: the place of each, see `jobs.Target`, the digest of its contents, and the keys of its
entries, each with the number of its job."""

DIGESTS = pa.schema([("index", pa.int64()), ("content", pa.string()), ("unreadable", pa.string())])
"""The digest of the contents of a video, or why it cannot be read."""

CLIPS = pa.schema([("video", pa.string()), ("keys", pa.list_(pa.string())), ("clips", pa.list_(pa.int32())),
                   ("job", pa.int32()), ("shape", pa.list_(pa.int32())), ("images", pa.large_binary()),
                   ("facts", pa.string())])  # fmt: skip
"""Clips, and ends of videos. A clip has images, and the entries that it belongs to with its number in each. An end has
one entry, the number of its clips, and facts as JSON."""

FEATURES = pa.schema([("video", pa.string()), ("key", pa.string()), ("clip", pa.int32()), ("rows", pa.int32()),
                      ("features", pa.list_(pa.float32())), ("refused", pa.string()),
                      ("facts", pa.string())])  # fmt: skip
"""The same with features [rows, D] in place of images, one entry a row; refused: why the network does not accept the
clip."""

_MOST_HELD_BYTES = 2**26
"""Bytes of one video's clips that are compared with each other, so that those that are equal are one row."""


@dataclass(frozen=True, eq=False)
class Work:
    """What every machine has to know.

    source: the side that is read. jobs: what is wanted of its videos.
    device, weights, versions: as the process has them that gave out the work. code: what it may run of the user's own.
    """

    source: ClipSource
    jobs: tuple[Job, ...]
    device: str
    weights: Mapping[str, PathLike]
    versions: Mapping[str, str]
    code: tuple[str, ...] = ()

    def video_name(self, place: int) -> str:
        return self.source.names[place % len(self.source.names)]


def digests(source: ClipSource, indices: Table) -> Table:
    """Return DIGESTS of the videos with these indices."""
    rows: list[dict[str, object]] = []
    for index in indices["index"].to_pylist():
        try:
            rows.append({"index": index, "content": source.video(index).content(), "unreadable": None})
        except VideoError as error:
            rows.append({"index": index, "content": None, "unreadable": str(error)})
    return pa.Table.from_pylist(rows, DIGESTS)


def clips(work: Work, videos: Table) -> Iterator[Table]:
    """Read VIDEOS and yield CLIPS, a few rows at a time."""
    for row in videos.to_pylist():
        yield from _clips_of(work, row["place"], row["content"], dict(zip(row["keys"], row["jobs"], strict=True)))


def _clips_of(work: Work, place: int, content: str, wanted: Mapping[str, int]) -> Iterator[Table]:
    """Read one video. wanted: the number of the job by the key of each entry."""
    name = work.video_name(place)
    video = work.source.video(place % len(work.source.names))
    facts = {key: FactsSoFar() for key in wanted}
    ends: list[DrawEnd] = []
    held: dict[tuple[FeatureRule, tuple[int, ...], bytes], dict[str, Any]] = {}
    held_bytes = 0
    for item in read_draws(video, list(dict.fromkeys(work.jobs[job].draw for job in wanted.values())), place):
        if isinstance(item, DrawEnd):
            ends.append(item)
            continue
        for key in _keys_of(work, wanted, item):
            rule = work.jobs[wanted[key]].features
            alike = (rule, item.images.shape, item.digest)
            if alike not in held:
                held[alike] = _clip_row(name, wanted[key], item)
                held_bytes += item.images.nbytes
            held[alike]["keys"].append(key)
            held[alike]["clips"].append(facts[key].clips)
            facts[key].take(item)
        if held_bytes > _MOST_HELD_BYTES:
            yield pa.Table.from_pylist(list(held.values()), CLIPS)
            held, held_bytes = {}, 0
    changed = _changed(work, place, content)
    rows = list(held.values())
    for end in ends:
        if changed:
            end = DrawEnd(end.draw, skipped=changed)
        for key in _keys_of(work, wanted, end):
            at_end = json.dumps(asdict(facts[key].at(end)))
            ended = {"keys": [key], "clips": [facts[key].clips], "job": wanted[key], "facts": at_end}
            rows.append({"video": name, "shape": None, "images": None, **ended})
    yield pa.Table.from_pylist(rows, CLIPS)


def _keys_of(work: Work, wanted: Mapping[str, int], item: DrawnClip | DrawEnd) -> list[str]:
    return [key for key, job in wanted.items() if work.jobs[job].draw == item.draw]


def _clip_row(name: str, job: int, clip: DrawnClip) -> dict[str, Any]:
    images = np.ascontiguousarray(clip.images)
    return {
        "video": name,
        "keys": [],
        "clips": [],
        "job": job,
        "shape": images.shape,
        "images": images.tobytes(),
        "facts": None,
    }


def _changed(work: Work, place: int, content: str) -> str | None:
    """Say that a video does not have the contents any more that it was digested with. Its state, which costs less, may
    differ between machines that read one disk."""
    try:
        is_same = work.source.video(place % len(work.source.names)).content() == content
    except VideoError as error:
        return str(error)
    return None if is_same else "changed while it was being read"


class Networks:
    """The networks of one worker."""

    def __init__(self, work: Work) -> None:
        """Load the networks. Raises FvdBenchError, where another machine has other software than the first one too."""
        allow_code(*work.code)
        for job in work.jobs:
            NETWORKS.find(job.features.extractor)  # which says what libraries it is made of
        device = environment.resolve_device(work.device)  # type: ignore[arg-type]
        here = versions([job.features for job in work.jobs], device)
        if different := [name for name in here if here[name] != work.versions.get(name)]:
            name = different[0]
            raise EngineError(
                f"a worker has {name} {here[name]}, and the command was started with {work.versions.get(name)}: give "
                "all machines the same software and devices of one kind, since features may depend on them"
            )
        self._rules = [job.features for job in work.jobs]
        self._extractors = {
            rule: create(rule, device=work.device, weights=work.weights, progress=lambda done, total: None)
            for rule in dict.fromkeys(self._rules)
        }

    def __call__(self, clips: Table) -> Table:
        """Run the networks on CLIPS and return FEATURES. Raises FeatureError, NetworkError."""
        rows = clips.to_pylist()
        alike: dict[tuple[FeatureRule, tuple[int, ...]], list[dict[str, Any]]] = {}
        found: list[dict[str, object]] = []
        for row in rows:
            if row["images"] is None:
                found.append(_feature_row(row, row["keys"][0], row["clips"][0], None, None))
                continue
            rule, shape = self._rules[row["job"]], tuple(row["shape"])
            alike.setdefault((rule, shape[:1] if rule.resize else shape[:3]), []).append(row)
        for (rule, _), group in alike.items():
            step = self._extractors[rule].batch_clips(group[0]["shape"][0])
            for first in range(0, len(group), step):
                found += self._run(rule, group[first : first + step])
        return pa.Table.from_pylist(found, FEATURES)

    def _run(self, rule: FeatureRule, rows: list[dict[str, Any]]) -> Iterator[dict[str, object]]:
        images: list[Pixels] = [np.array(np.frombuffer(row["images"], np.uint8)).reshape(row["shape"]) for row in rows]
        extractor = self._extractors[rule]
        refused: str | None = None
        features: Sequence[Features | None] = [None] * len(rows)
        try:
            results = extractor(images)
        except FeatureError as error:  # all clips of a batch have one shape, so it is refused as a whole
            refused = str(error)
        else:
            check_features(rule, extractor.dim, [(row["video"], row["shape"][0]) for row in rows], results)
            features = results
        for row, of_clip in zip(rows, features, strict=True):
            for key, clip in zip(row["keys"], row["clips"], strict=True):
                yield _feature_row(row, key, clip, of_clip, refused)


def _feature_row(
    row: Mapping[str, Any], key: str, clip: int, features: Features | None, refused: str | None
) -> dict[str, object]:
    return {
        "video": row["video"],
        "key": key,
        "clip": clip,
        "rows": None if features is None else len(features),
        "features": None if features is None else features.reshape(-1),
        "refused": refused,
        "facts": row["facts"],
    }
