"""Clips on their way through the networks in batches, and features on their way into the store.

Networks run in a thread of their own, one batch after the other, while this one gathers the next batch and writes the
features of the last one. A network is handed its next batch before the features of the last one are waited for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from fvd_bench.errors import FeatureError, NetworkError
from fvd_bench.features.store import Entry, Facts, FeatureStore
from fvd_bench.networks import NETWORKS, FeatureExtractor, Features, begin
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.clips import DrawEnd, DrawnClip
from fvd_bench.videos.frame_times import Intervals, intervals_text, widest
from fvd_bench.videos.video import Pixels
from fvd_bench.words import counted

_MOST_WAITING_BYTES = 2**28
"""The most bytes of clips that wait for others. Where clips are so large, the network runs on a batch that is
padded."""


@dataclass(slots=True)
class FactsSoFar:
    """What was noticed of the clips that a draw took from a video so far, see `Facts` and `DrawnClip`."""

    clips: int = 0
    damaged: int = 0
    transparent: int = 0
    jpeg_qualities: set[int] = field(default_factory=set)
    not_jpeg: bool = False
    intervals: Intervals | None = None
    levels: tuple[int, int] | None = None

    def take(self, clip: DrawnClip) -> None:
        """Take in one clip more."""
        self.clips += 1
        self.damaged += clip.damaged
        self.transparent += clip.transparent
        self.jpeg_qualities.update(q for q in clip.jpeg_qualities if q is not None)
        self.not_jpeg |= None in clip.jpeg_qualities
        self.intervals = widest(self.intervals, clip.intervals)
        self.levels = widest(self.levels, clip.levels)

    def at(self, end: DrawEnd) -> Facts:
        """Return the facts about the video, of which all clips were taken in."""
        uneven = [("variable-rate", intervals_text(self.intervals))] if self.intervals else []
        hidden = [("transparent", counted(self.transparent, "frame"))] if self.transparent else []
        return Facts(
            skipped=end.skipped,
            found=end.found,
            damaged=self.damaged,
            jpeg_qualities=tuple(sorted(self.jpeg_qualities)),
            not_jpeg=self.not_jpeg,
            num_frames=end.num_frames,
            notes=(*end.notes, *uneven, *hidden),
            levels=self.levels,
        )


def entry_of(features: Sequence[Features], facts: Facts) -> Entry | None:
    """Return what is stored of a video, None where nothing is. features: of each of its clips."""
    if facts.skipped is None:
        return Entry(np.concatenate(features), facts)
    # For other reasons than too few frames, such as a disk that does not answer, a later try may work.
    return None if facts.found is None else Entry(_NO_FEATURES, facts)


def check_features(rule: FeatureRule, dim: int, clips: Sequence[tuple[str, int]], results: Sequence[Features]) -> None:
    """Raise NetworkError where features are not what their network says, and FeatureError where they are not finite.

    dim: the numbers in a feature, as the extractor has it.
    clips: for each clip the name of its video, and its number of frames.
    """
    network = NETWORKS[rule.extractor]
    if len(results) != len(clips):
        raise NetworkError(
            f"{rule.extractor} gave the features of {counted(len(results), 'clip')}: expected {len(clips)}"
        )
    for (name, num_frames), features in zip(clips, results, strict=True):
        expected = (network.count([num_frames]), dim)
        if features.shape != expected or features.dtype != np.float32:
            raise NetworkError(
                f"{name}: {rule.extractor} gave features {features.dtype} {list(features.shape)}: expected float32 "
                f"{list(expected)}"
            )
        if not np.isfinite(features).all():
            more = f"networks check {rule.extractor}" if network.version else "selftest"
            raise FeatureError(
                f"{name}: {rule.extractor} gave features that are not finite; the weights or the arithmetic of this "
                f"device are broken: `fvd-bench {more}` tells more"
            )


@dataclass(slots=True)
class _Open:
    """A video whose features are still being computed.

    features: one array per clip, None for a clip that waits. refused: why the network does not accept the frames, or
        None.
    """

    name: str
    features: list[Features | None] = field(default_factory=list)
    facts: FactsSoFar = field(default_factory=FactsSoFar)
    refused: str | None = None
    end: DrawEnd | None = None


@dataclass(slots=True, eq=False)
class _Input:
    """A clip for a network.

    wanted_by: for each entry that wants the features, its key and the place of the clip in it.
    refused: why the network does not accept the clip, or None.
    """

    images: Pixels
    wanted_by: list[tuple[str, int]]
    features: Features | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class _Running:
    """A batch that a network works on, and what it will give."""

    rule: FeatureRule
    clips: Sequence[_Input]
    results: Future[Callable[[], list[Features]]]


class Batches:
    """Clips that wait until a batch of a network is full, and videos that wait for their last features.

    Clips of one video that are equal, under several rules or seeds, go through a network once. What goes wrong with a
    batch is raised once the next one is full, or by `flush`. It has to be closed.
    facts: the facts about the finished videos, by key.
    """

    def __init__(self, store: FeatureStore, extractors: Mapping[FeatureRule, FeatureExtractor]) -> None:
        self.facts: dict[str, Facts] = {}
        self._store = store
        self._extractors = extractors
        self._open: dict[str, _Open] = {}
        self._waiting: dict[tuple[FeatureRule, tuple[int, ...]], list[_Input]] = {}
        self._thread = _network_thread()
        self._running: _Running | None = None
        self._name = ""
        self._seen: dict[tuple[FeatureRule, tuple[int, ...], bytes], _Input] = {}  # inputs of the video `_name`

    def add(self, key: str, name: str, rule: FeatureRule, item: DrawnClip | DrawEnd) -> None:
        """Take in a clip of a video, or its end, for the entry of this key. Run the network if that fills a batch.

        name: the name of the video. rule: how its features are made.
        """
        video = self._open.setdefault(key, _Open(name))
        if isinstance(item, DrawEnd):
            video.end = item
            self._finish([key])
            return
        video.facts.take(item)
        place = (key, len(video.features))
        video.features.append(None)
        clip, is_new = self._input(name, rule, item)
        clip.wanted_by.append(place)
        if clip.features is not None:
            video.features[-1] = clip.features
            video.refused = video.refused or clip.refused
        elif is_new:
            # The clips of a batch have one length, and one size where the network sees frames as they are.
            alike = item.images.shape[:1] if rule.resize else item.images.shape[:3]
            waiting = self._waiting.setdefault((rule, alike), [])
            waiting.append(clip)
            is_full = len(waiting) >= self._extractors[rule].batch_clips(len(item.images))
            if is_full or sum(clip.images.nbytes for clip in waiting) >= _MOST_WAITING_BYTES:
                self._run(rule, alike)

    def flush(self) -> None:
        """Run the networks on the clips that are left, and wait for all features."""
        for rule, alike in list(self._waiting):
            self._run(rule, alike)
        self._take_results(self._running)
        assert not self._open, "a video was read without an end"

    def close(self) -> None:
        """End the thread, once it is done with the batch that runs: no network runs on after an error elsewhere."""
        self._thread.shutdown(cancel_futures=True)

    def _input(self, name: str, rule: FeatureRule, clip: DrawnClip) -> tuple[_Input, bool]:
        """Return the input of a clip, and whether it is new. All clips of one video come before those of the next."""
        if name != self._name:
            self._name, self._seen = name, {}
        same = (rule, clip.images.shape, clip.digest)
        is_new = same not in self._seen
        if is_new:
            self._seen[same] = _Input(clip.images, [])
        return self._seen[same], is_new

    def _run(self, rule: FeatureRule, alike: tuple[int, ...]) -> None:
        """Hand a batch to its network, and take in the features of the last batch."""
        waiting = self._waiting.pop((rule, alike))
        last = self._running
        results = self._thread.submit(begin, self._extractors[rule], [clip.images for clip in waiting])
        self._running = _Running(rule, waiting, results)
        self._take_results(last)

    def _take_results(self, running: _Running | None) -> None:
        """Wait for a batch, and take in its features."""
        if running is None:
            return
        rule, clips, refused = running.rule, running.clips, None
        try:
            results = running.results.result()()
        except FeatureError as error:  # all clips of a batch have one shape, so it is refused as a whole
            refused, results = str(error), [_NO_FEATURES] * len(clips)
        if refused is None:
            of_clips = [(self._open[clip.wanted_by[0][0]].name, len(clip.images)) for clip in clips]
            check_features(rule, self._extractors[rule].dim, of_clips, results)
        for clip, features in zip(clips, results, strict=True):
            clip.features, clip.refused, clip.images = features, refused, _NO_IMAGES
            for key, place in clip.wanted_by:
                self._open[key].features[place] = features
                self._open[key].refused = self._open[key].refused or refused
        self._finish(list(dict.fromkeys(key for clip in clips for key, _ in clip.wanted_by)))

    def _finish(self, keys: Sequence[str]) -> None:
        """Store the videos among these keys whose features are complete."""
        entries: list[tuple[str, Entry]] = []
        for key in keys:
            video = self._open[key]
            features = [part for part in video.features if part is not None]
            if video.end is None or len(features) < len(video.features):
                continue
            del self._open[key]
            facts = video.facts.at(video.end)
            self.facts[key] = replace(facts, skipped=facts.skipped or video.refused)
            if (entry := entry_of(features, self.facts[key])) is not None:
                entries.append((key, entry))
        if entries:
            self._store.put(entries)


def _network_thread() -> ThreadPoolExecutor:
    """Return a thread for networks. It uses the CUDA device that this thread uses: torch has one for each thread."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ThreadPoolExecutor(1, "network")
    return ThreadPoolExecutor(1, "network", torch.cuda.set_device, (torch.cuda.current_device(),))


_NO_IMAGES: Pixels = np.zeros((0, 1, 1, 3), dtype=np.uint8)
_NO_FEATURES: Features = np.zeros((0, 1), dtype=np.float32)
