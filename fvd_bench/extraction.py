"""From the videos of one source to features in the store: decode ahead, batch, run the networks, write.

Every protocol and repeat that wants something of a video takes part in the same pass over its frames. What
the store holds already is not computed again, so a killed run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import numpy as np

from fvd_bench.cache import Entry, Facts, FeatureStore
from fvd_bench.clips import Draw, DrawEnd, DrawnClip, read_draws
from fvd_bench.errors import CacheError, FeatureError, SourceError, VideoError
from fvd_bench.extractors import FeatureExtractor, Features
from fvd_bench.prefetch import in_order
from fvd_bench.protocol import FeatureRule
from fvd_bench.sampling import video_order
from fvd_bench.sources import ClipSource, fingerprint
from fvd_bench.video import Pixels

ENGINE = 1
"""Raised whenever our own arithmetic moves a feature: features of older engines are then not used."""

Progress = Callable[[int, int], None]
"""Called with (videos done, videos in all)."""


@dataclass(frozen=True, slots=True)
class Job:
    """Features of one draw."""

    draw: Draw
    features: FeatureRule


@dataclass(slots=True)
class Collected:
    """What a job came to.

    keys: of the used videos' entries, in listing order; skipped: video -> reason; longest_short: frames of the
    longest video that was too short; defects: video -> damage that was passed over; jpeg_qualities, not_jpeg: as
    in `Facts`, over all used videos.
    """

    keys: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    longest_short: int = 0
    defects: dict[str, str] = field(default_factory=dict)
    jpeg_qualities: set[int] = field(default_factory=set)
    not_jpeg: bool = False


Outcome = tuple[str, Facts]
"""Key of a video's entry, and the facts in it."""


class Extraction:
    """The features of one source.

    extractors: by the rule that they follow; versions: of all software that reaches the features.
    Reads the contents of all videos when it is made, those of unchanged size and time from the store's memory.
    """

    def __init__(
        self,
        source: ClipSource,
        store: FeatureStore,
        extractors: Mapping[FeatureRule, FeatureExtractor],
        *,
        versions: Mapping[str, str],
        workers: int,
        progress: Progress,
    ) -> None:
        self._source = source
        self._store = store
        self._extractors = extractors
        self._versions = versions
        self._workers = workers
        self._contents, self._unreadable = self._read_contents(progress)

    def fingerprint(self) -> str:
        """sha256 over the names and contents of all videos of the source."""
        contents = (self._contents.get(i, "unreadable") for i in range(len(self._source.names)))
        return fingerprint(self._source.names, contents)

    def collect(self, jobs: Sequence[Job], progress: Progress) -> dict[Job, Collected]:
        """See to it that the store holds the features of all jobs, and say where.

        Where a rule wants fewer videos than there are, one that has to be skipped is replaced by the next in
        the draw's order. Raises FeatureError, CacheError, and SourceError when a rule forbids skipping.
        """
        outcomes: dict[Job, dict[int, Outcome]] = {job: {} for job in jobs}
        while wanted := self._wanted(outcomes):
            for (index, job), outcome in self._pass(wanted, progress).items():
                outcomes[job][index] = outcome
        return {job: self._collected(job, outcomes[job]) for job in jobs}

    def outlook(self, jobs: Sequence[Job]) -> tuple[dict[tuple[int, Job], Outcome], dict[int, list[Job]]]:
        """What the first pass of `collect` would find in the store, and what it would have to compute."""
        return self._split(self._wanted({job: {} for job in jobs}))

    def features(self, collected: Collected) -> Iterator[Features]:
        """The features [N, dim] of each used video, in listing order. Raises CacheError."""
        for key in collected.keys:
            entry = self._store.get(key)
            if entry is None:
                raise CacheError("a stored feature was lost while in use; the same command run again repairs that")
            yield entry.features

    def _read_contents(self, progress: Progress) -> tuple[dict[int, str], dict[int, str]]:
        """Content digests by index, and reasons why there is none."""
        contents: dict[int, str] = {}
        unreadable: dict[int, str] = {}
        total = len(self._source.names)
        with ThreadPoolExecutor(self._workers) as pool:
            states = list(pool.map(self._state, range(total)))
            paths = [f"{self._source.name}/{name}" for name in self._source.names]
            for i, (path, state) in enumerate(zip(paths, states, strict=True)):
                if isinstance(state, VideoError):
                    unreadable[i] = str(state)
                elif (digest := self._store.content(path, state)) is not None:
                    contents[i] = digest
            new = [i for i in range(total) if i not in contents and i not in unreadable]
            progress(total - len(new), total)
            for i, digest_or_error in zip(new, pool.map(self._content, new), strict=True):
                if isinstance(digest_or_error, VideoError):
                    unreadable[i] = str(digest_or_error)
                else:
                    contents[i] = digest_or_error
                progress(len(contents) + len(unreadable), total)
        self._store.remember_contents((paths[i], str(states[i]), contents[i]) for i in new if i in contents)
        return contents, unreadable

    def _state(self, index: int) -> str | VideoError:
        try:
            return self._source.video(index).state()
        except VideoError as error:
            return error

    def _content(self, index: int) -> str | VideoError:
        try:
            return self._source.video(index).content()
        except VideoError as error:
            return error

    def _wanted(self, outcomes: Mapping[Job, Mapping[int, Outcome]]) -> dict[int, list[Job]]:
        """Listing index -> jobs that still have to try this video, in listing order."""
        wanted: dict[int, list[Job]] = {}
        for job, tried in outcomes.items():
            rule = job.draw.rule
            used = sum(facts.skipped is None for _, facts in tried.values())
            order = video_order(len(self._source.names), rule, seed=job.draw.seed)
            left = None if rule.count is None else rule.count - used
            for index in [i for i in order.tolist() if i not in tried][:left]:
                wanted.setdefault(index, []).append(job)
        return dict(sorted(wanted.items()))

    def _split(
        self, wanted: Mapping[int, Sequence[Job]]
    ) -> tuple[dict[tuple[int, Job], Outcome], dict[int, list[Job]]]:
        """What is known already, and what has to be computed."""
        known: dict[tuple[int, Job], Outcome] = {}
        absent: dict[int, list[Job]] = {}
        for index, jobs in wanted.items():
            for job in jobs:
                if index in self._unreadable:
                    known[index, job] = "", Facts(skipped=self._unreadable[index])
                elif (entry := self._store.get(key := self._key(job, index))) is not None:
                    known[index, job] = key, entry.facts
                else:
                    absent.setdefault(index, []).append(job)
        return known, absent

    def _pass(self, wanted: Mapping[int, Sequence[Job]], progress: Progress) -> dict[tuple[int, Job], Outcome]:
        """One pass over videos, computing what the store does not hold."""
        outcomes, absent = self._split(wanted)
        before = len(wanted) - len(absent)
        progress(before, len(wanted))
        places = {index: before + place for place, index in enumerate(absent)}
        batches = _Batches(self._store, self._extractors)
        for (index, jobs), item in in_order(list(absent.items()), self._read, workers=self._workers):
            progress(places[index], len(wanted))
            for job in jobs:
                if job.draw == item.draw:
                    target = (index, job)
                    batches.add(target, self._source.names[index], self._key(job, index), item)
        batches.flush()
        progress(len(wanted), len(wanted))
        return outcomes | batches.outcomes

    def _read(self, task: tuple[int, list[Job]]) -> Iterator[DrawnClip | DrawEnd]:
        """Runs in a thread."""
        index, jobs = task
        return read_draws(self._source.video(index), list(dict.fromkeys(job.draw for job in jobs)), index)

    def _key(self, job: Job, index: int) -> str:
        """Everything that the features of a video depend on, hashed."""
        draw = job.draw
        everything = {
            "content": self._contents[index],
            "rule": {k: v for k, v in asdict(draw.rule).items() if k not in _RULES_FOR_LISTINGS},
            "draw": [draw.side, draw.seed, index] if draw.rule.is_random else None,
            "features": asdict(job.features),
            "weights": dict(self._extractors[job.features].weights),
            "versions": dict(self._versions),
            "engine": ENGINE,
        }
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

    def _collected(self, job: Job, outcomes: Mapping[int, Outcome]) -> Collected:
        collected = Collected()
        for index in sorted(outcomes):
            name, (key, facts) = self._source.names[index], outcomes[index]
            if facts.skipped is not None:
                collected.skipped[name] = facts.skipped
                collected.longest_short = max(collected.longest_short, facts.found or 0)
                continue
            collected.keys.append(key)
            collected.jpeg_qualities.update(facts.jpeg_qualities)
            collected.not_jpeg |= facts.not_jpeg
            if facts.defect:
                collected.defects[name] = facts.defect
        if job.draw.rule.short_videos == "error" and collected.skipped:
            name, reason = next(iter(collected.skipped.items()))
            raise SourceError(f"{self._source.name}/{name}: {reason}; the protocol allows no video to be left out")
        return collected


_RULES_FOR_LISTINGS = ("count", "selection", "short_videos")
"""Parts of a ClipRule that say which videos are used, not what is taken from one."""


@dataclass(slots=True)
class _Open:
    """A video of which features are still being computed."""

    name: str
    key: str
    clips: int = 0
    features: list[Features] = field(default_factory=list)
    jpeg_qualities: set[int] = field(default_factory=set)
    not_jpeg: bool = False
    end: DrawEnd | None = None


class _Batches:
    """Clips waiting until a network's batch is full, and videos waiting for their last features.

    outcomes: of the videos that are finished.
    """

    def __init__(self, store: FeatureStore, extractors: Mapping[FeatureRule, FeatureExtractor]) -> None:
        self.outcomes: dict[tuple[int, Job], Outcome] = {}
        self._store = store
        self._extractors = extractors
        self._open: dict[tuple[int, Job], _Open] = {}
        self._waiting: dict[tuple[FeatureRule, int], list[tuple[tuple[int, Job], Pixels]]] = {}

    def add(self, target: tuple[int, Job], name: str, key: str, item: DrawnClip | DrawEnd) -> None:
        """Take in what was read for a job of a video; run the network if that fills a batch."""
        video = self._open.setdefault(target, _Open(name, key))
        if isinstance(item, DrawEnd):
            video.end = item
            self._finish([target])
            return
        video.clips += 1
        video.jpeg_qualities.update(q for q in item.jpeg_qualities if q is not None)
        video.not_jpeg |= None in item.jpeg_qualities
        rule, frames = target[1].features, len(item.images)
        waiting = self._waiting.setdefault((rule, frames), [])
        waiting.append((target, item.images))
        if len(waiting) >= self._extractors[rule].batch_clips(frames):
            self._run(rule, frames)

    def flush(self) -> None:
        """Run the networks on what is left."""
        for rule, frames in list(self._waiting):
            self._run(rule, frames)
        assert not self._open, "a video was read without an end"

    def _run(self, rule: FeatureRule, frames: int) -> None:
        waiting = self._waiting.pop((rule, frames))
        results = self._extractors[rule]([images for _, images in waiting])
        for (target, _), features in zip(waiting, results, strict=True):
            video = self._open[target]
            if not np.isfinite(features).all():
                raise FeatureError(
                    f"{video.name}: {rule.extractor} gave features that are not finite; the weights or the "
                    "arithmetic of this device are broken: `fvd-bench selftest` tells more"
                )
            video.features.append(features)
        self._finish(list(dict.fromkeys(target for target, _ in waiting)))

    def _finish(self, targets: Sequence[tuple[int, Job]]) -> None:
        """Store those of the videos of which nothing is missing any more."""
        entries: list[tuple[str, Entry]] = []
        for target in targets:
            video = self._open[target]
            if video.end is None or len(video.features) < video.clips:
                continue
            del self._open[target]
            end = video.end
            facts = Facts(end.skipped, end.found, end.defect, tuple(sorted(video.jpeg_qualities)), video.not_jpeg)
            features = np.concatenate(video.features) if end.skipped is None else _NO_FEATURES
            self.outcomes[target] = video.key, facts
            if end.skipped is None or end.found is not None:
                entries.append((video.key, Entry(features, facts)))
        if entries:
            self._store.put(entries)


_NO_FEATURES: Features = np.zeros((0, 1), dtype=np.float32)
