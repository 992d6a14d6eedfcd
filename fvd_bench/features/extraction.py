"""From the videos of one source to features in the store: decode ahead, form batches, run the networks, write.

Every protocol and repeat that wants something from a video takes part in the same pass over its frames. What the store
already holds is not computed again, so a run that was killed goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fvd_bench.errors import CacheError, EngineError, SourceError, VideoError
from fvd_bench.features.batches import Batches
from fvd_bench.features.distributed import WHOLE, Share
from fvd_bench.features.engine import Engine
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.jobs import Collected, Job, Outcome, Target, VideosDone, first_of_each
from fvd_bench.features.keys import feature_keys
from fvd_bench.features.store import Entry, Facts, FeatureStore
from fvd_bench.networks import FeatureExtractor, Features, versions_of
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.sources.opening import ClipSource
from fvd_bench.videos.clips import DrawEnd, DrawnClip, read_draws
from fvd_bench.videos.prefetch import Budget, in_order
from fvd_bench.videos.sampling import video_order
from fvd_bench.videos.video import Video
from fvd_bench.words import counted

Watch = Callable[[int, Video], Callable[[], None]]
"""A function that looks at a video, given with its index, once its clips were read. It runs in a thread, and returns
what keeps the outcome: a function that is called unless the video has changed meanwhile."""


class Extraction:
    """The features of one source. Making it reads the contents of all videos; the store remembers those of unchanged
    files.

    extractors: the network for each feature rule.
    versions: versions of all software that can change the features.
    workers: number of threads that read videos.
    share: the part of the videos that this process reads. Where other processes read the rest, the results are
        exchanged.
    engine: what does the work. None for this process.
    """

    def __init__(
        self,
        source: ClipSource,
        store: FeatureStore,
        extractors: Mapping[FeatureRule, FeatureExtractor],
        *,
        versions: Mapping[str, str],
        workers: int,
        progress: VideosDone,
        share: Share = WHOLE,
        engine: Engine | None = None,
    ) -> None:
        self._share = share
        self._engine = engine
        self._source = source
        self._store = store
        self._extractors = extractors
        self._versions = versions
        self._workers = workers
        self._states: dict[int, str] = {}
        self._contents: dict[int, str] = {}
        self._unreadable: dict[int, str] = {}
        self._keys: dict[Job, Callable[[str, int], str]] = {}
        self._read_contents(progress)

    @property
    def contents(self) -> Mapping[int, str]:
        """The content digest of each video that can be read, by index."""
        return self._contents

    @property
    def unreadable(self) -> Mapping[int, str]:
        """Why a video cannot be read, by index."""
        return self._unreadable

    def collect(self, jobs: Sequence[Job], progress: VideosDone, *, watch: Watch | None = None) -> dict[Job, Collected]:
        """Make sure that the store holds the features of all jobs, and say under which keys. Raises FeatureError and
        CacheError.

        watch: looks at each video that is read for that.

        Where a rule wants fewer videos than there are, a video that has to be skipped is replaced by the next in the
        draw's order.
        """
        collected, _ = self.outcomes(jobs, progress, watch=watch)
        return collected

    def outcomes(
        self, jobs: Sequence[Job], progress: VideosDone, *, watch: Watch | None = None
    ) -> tuple[dict[Job, Collected], list[Outcome]]:
        """Do what `collect` does, and also return the key and the facts of each video that was tried.

        A share that is not exchanged makes only one pass, as it cannot know which videos of other shares have to be
        replaced.
        """
        outcomes: dict[Job, dict[int, Outcome]] = {job: {} for job in jobs}
        while wanted := self._wanted(outcomes):
            for (index, job), outcome in self._passed(wanted, progress, watch).items():
                outcomes[job][index] = outcome
            if self._share.parts > 1 and not self._share.exchanged:
                break
        every = [outcome for tried in outcomes.values() for outcome in tried.values()]
        return {job: Collected.of(job, outcomes[job], self._source.names) for job in jobs}, every

    def missing(self, jobs: Sequence[Job]) -> list[Target]:
        """Return the first targets that `collect` would have to compute, without computing anything."""
        _, absent = self._known(jobs)
        return list(absent)

    def held(self, jobs: Sequence[Job]) -> dict[Job, Collected]:
        """Return what the store holds of what `collect` returns, up to the first pass that it does not hold wholly."""
        outcomes, _ = self._known(jobs)
        return {job: Collected.of(job, outcomes[job], self._source.names) for job in jobs}

    def outlook(self, jobs: Sequence[Job]) -> tuple[dict[Target, Outcome], dict[Target, str]]:
        """Return what the first pass of `collect` would find in the store, and the keys that it would have to
        compute."""
        return self._look_up(self._wanted({job: {} for job in jobs}))

    def features(self, collected: Collected) -> Iterator[tuple[int, Features]]:
        """Yield the index and the features [N, dim] of each used video, in listing order. Raises CacheError."""
        for video, key in zip(collected.videos, collected.keys, strict=True):
            entry = self._store.get(key)
            if entry is None:
                raise CacheError("a stored feature was lost while in use; the same command run again repairs that")
            yield video, entry.features

    def feature_set(self, job: Job, collected: Collected, groups: Sequence[int] | None = None) -> FeatureSet:
        """Go through the features of a job once, as a set that can go through them again. Raises CacheError.

        groups: the group of each video of the listing, whose videos count as one; None where each counts by itself.
        """
        again = partial(self.features, collected)
        found = FeatureSet(self._extractors[job.features].dim, again=again)
        for video, features in again():
            found.add(features, video=video if groups is None else groups[video])
        return found

    def _read_contents(self, progress: VideosDone) -> None:
        total = len(self._source.names)
        with ThreadPoolExecutor(self._workers) as pool:
            here = [i for i in range(total) if self._share.exchanged or self._share.has(i)]
            for i, state in zip(here, pool.map(self._state, here), strict=True):
                if isinstance(state, VideoError):
                    self._unreadable[i] = str(state)
                    continue
                self._states[i] = state
                if (digest := self._store.content(state)) is not None:
                    self._contents[i] = digest
            new = [i for i in self._states if i not in self._contents and self._share.has(i)]
            found = self._engine.contents(self._source, new) if self._engine else pool.map(self._content, new)
            for done, (i, content) in enumerate(zip(new, found, strict=True)):
                if isinstance(content, VideoError):
                    self._unreadable[i] = str(content)
                else:
                    self._contents[i] = content
                progress(total - len(new) + done + 1, total)
        known = self._contents, self._unreadable
        mine = [{i: text for i, text in texts.items() if self._share.has(i)} for texts in known]
        self._contents, self._unreadable = {}, {}
        everyone = self._share.everyone(lambda: (self._basis(), mine))
        _check_alike(self._source.name, [basis for basis, _ in everyone])
        for _, (contents, unreadable) in everyone:
            self._contents.update(contents)
            self._unreadable.update(unreadable)
        learnt = self._states if self._share.exchanged else new
        self._store.remember_contents((self._states[i], self._contents[i]) for i in learnt if i in self._contents)

    def _basis(self) -> _Basis:
        """Return what has to be the same in all processes that exchange results; of one alone nothing."""
        if not self._share.exchanged:
            return 0, "", {}
        listing = "\0".join(self._source.names).encode("utf-8", "surrogateescape")
        return len(self._source.names), hashlib.sha256(listing).hexdigest(), self._versions

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

    def _wanted(self, outcomes: Mapping[Job, Mapping[int, Outcome]]) -> list[Target]:
        """Return the targets that still have to be tried, in listing order."""
        wanted: list[Target] = []
        videos = len(self._source.names)
        for job, tried in outcomes.items():
            rule = job.draw.rule
            skipped = {place % videos for place, (_, facts) in tried.items() if facts.skipped is not None}
            if len(skipped) == videos:
                continue
            used = sum(facts.skipped is None for _, facts in tried.values())
            order = video_order(videos, rule, seed=job.draw.seed)
            untried = (place for place in order if place not in tried and place % videos not in skipped)
            wanted += [(p, job) for p in itertools.islice(untried, None if rule.count is None else rule.count - used)]
        return sorted(wanted, key=lambda target: target[0])

    def _look_up(self, wanted: Sequence[Target]) -> tuple[dict[Target, Outcome], dict[Target, str]]:
        """Return the outcomes that are known already, and the keys of targets that have to be computed."""
        known: dict[Target, Outcome] = {}
        absent: dict[Target, str] = {}
        for place, job in wanted:
            index = place % len(self._source.names)
            if index in self._unreadable:
                known[place, job] = "", Facts(skipped=self._unreadable[index])
                continue
            key = self._key(job, place)
            entry = self._store.get(key)
            if entry is None:
                absent[place, job] = key
            else:
                known[place, job] = key, entry.facts
        return known, absent

    def _known(self, jobs: Sequence[Job]) -> tuple[dict[Job, dict[int, Outcome]], dict[Target, str]]:
        """Return the outcomes that are known up to the first pass that has something to compute, and the keys of
        that."""
        outcomes: dict[Job, dict[int, Outcome]] = {job: {} for job in jobs}
        while wanted := self._wanted(outcomes):
            known, absent = self._look_up(wanted)
            for (index, job), outcome in known.items():
                outcomes[job][index] = outcome
            if absent:
                return outcomes, absent
        return outcomes, {}

    def _passed(self, wanted: Sequence[Target], progress: VideosDone, watch: Watch | None) -> dict[Target, Outcome]:
        """Make a pass over this process's share. Return its outcomes and those of the other processes."""
        mine = [target for target in wanted if self._share.has(target[0] % len(self._source.names))]

        def work() -> tuple[dict[Target, Outcome], str | None, list[tuple[str, Entry]]]:
            found = self._pass(mine, progress, watch)
            if not self._share.exchanged:
                return found, None, []
            keys = dict.fromkeys(key for key, _ in found.values())
            entries = [(key, entry) for key in keys if (entry := self._store.get(key)) is not None]
            return found, self._store.place, entries

        outcomes: dict[Target, Outcome] = {}
        for found, place, entries in self._share.everyone(work):
            outcomes |= found
            if self._share.exchanged and (place is None or place != self._store.place):
                self._store.put(entries)
        return outcomes

    def _pass(self, wanted: Sequence[Target], progress: VideosDone, watch: Watch | None) -> dict[Target, Outcome]:
        """Make one pass over the videos. Compute what the store does not hold, and nothing twice."""
        known, absent = self._look_up(wanted)
        tasks: dict[int, dict[str, Job]] = {}
        for key, (place, job) in first_of_each(absent).items():
            tasks.setdefault(place, {})[key] = job
        if tasks:
            self._store.check_writable()
        if tasks and self._engine:
            facts = self._engine.features(self._source, tasks, self._contents, self._extractors, self._store, progress)
            return known | {target: (key, facts[key]) for target, key in absent.items()}
        done = {place: number for number, place in enumerate(tasks)}
        budget = Budget(_BYTES_PER_WORKER * self._workers)
        read = partial(self._read, budget, watch)
        with contextlib.closing(Batches(self._store, self._extractors)) as batches:
            for (place, jobs), item in in_order(list(tasks.items()), read, workers=self._workers, budget=budget):
                progress(done[place], len(tasks))
                for key, job in jobs.items():
                    if job.draw == item.draw:
                        batches.add(key, self._name(place), job.features, item)
            batches.flush()
        self._store.commit()
        progress(len(tasks), len(tasks))
        return known | {target: (key, batches.facts[key]) for target, key in absent.items()}

    def _read(
        self, budget: Budget, watch: Watch | None, task: tuple[int, Mapping[str, Job]]
    ) -> Iterator[DrawnClip | DrawEnd]:
        """Read what the jobs want from a video, in a thread. A file that changes while it is read is skipped."""
        place, jobs = task
        index = place % len(self._source.names)
        video = self._source.video(index)
        draws = list(dict.fromkeys(job.draw for job in jobs.values()))
        ends: list[DrawEnd] = []
        for item in read_draws(video, draws, place, reserve=budget.take):
            if isinstance(item, DrawEnd):
                ends.append(item)
            else:
                yield item
        keep = watch(index, video) if watch else None
        if self._state(index) != self._states[index]:
            yield from (DrawEnd(end.draw, skipped="changed while it was being read") for end in ends)
            return
        if keep:
            keep()
        yield from ends

    def _name(self, place: int) -> str:
        return self._source.names[place % len(self._source.names)]

    def _key(self, job: Job, place: int) -> str:
        if job not in self._keys:
            self._keys[job] = feature_keys(
                rule=job.draw.rule,
                side=job.draw.side,
                seed=job.draw.seed,
                features=job.features,
                weights=self._extractors[job.features].weights,
                versions=versions_of(job.features, self._versions),
            )
        return self._keys[job](self._contents[place % len(self._source.names)], place)


_Basis = tuple[int, str, Mapping[str, str]]
"""The number of videos, a digest of their names, and the versions of software."""


def _check_alike(name: str, bases: Sequence[_Basis]) -> None:
    """Raise SourceError where processes list other videos of a side, whose parts would not fit together, and
    EngineError where they have other software. All processes are given the same, so all of them raise it."""
    videos, listing, versions = bases[0]
    for process, (others, other_listing, other_versions) in enumerate(bases):
        if listing != other_listing:
            found = f"{others} videos" if others != videos else "videos of other names"
            raise SourceError(
                f"{name}: process 0 of this run lists {counted(videos, 'video')}, and process {process} {found}: all "
                "have to see the same files, since each reads a part of them"
            )
        for package in sorted({*versions, *other_versions}):
            if (here := versions.get(package)) != (there := other_versions.get(package)):
                raise EngineError(
                    f"process 0 of this run has {package} {here}, and process {process} has {there}: give all machines "
                    "the same software and devices of one kind, since features may depend on them"
                )


_BYTES_PER_WORKER = 2**28
"""Bytes of clips that each worker may read ahead of the networks."""
