"""Clips on their way through the networks, in batches, and features on their way into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fvd_bench.cache import Entry, Facts, FeatureStore
from fvd_bench.clips import DrawEnd, DrawnClip
from fvd_bench.errors import FeatureError
from fvd_bench.extractors import FeatureExtractor, Features
from fvd_bench.protocol import FeatureRule
from fvd_bench.video import Pixels


@dataclass(slots=True)
class _Open:
    """A video of which features are still being computed."""

    name: str
    clips: int = 0
    features: list[Features] = field(default_factory=list)
    damaged: int = 0
    jpeg_qualities: set[int] = field(default_factory=set)
    not_jpeg: bool = False
    end: DrawEnd | None = None


class Batches:
    """Clips waiting until a network's batch is full, and videos waiting for their last features.

    facts: of the videos that are finished, by key.
    """

    def __init__(self, store: FeatureStore, extractors: Mapping[FeatureRule, FeatureExtractor]) -> None:
        self.facts: dict[str, Facts] = {}
        self._store = store
        self._extractors = extractors
        self._open: dict[str, _Open] = {}
        self._waiting: dict[tuple[FeatureRule, tuple[int, ...]], list[tuple[str, Pixels]]] = {}

    def add(self, key: str, name: str, rule: FeatureRule, item: DrawnClip | DrawEnd) -> None:
        """Take in what was read of a video for its entry of this key; run the network if that fills a batch."""
        video = self._open.setdefault(key, _Open(name))
        if isinstance(item, DrawEnd):
            video.end = item
            self._finish([key])
            return
        video.clips += 1
        video.damaged += item.damaged
        video.jpeg_qualities.update(q for q in item.jpeg_qualities if q is not None)
        video.not_jpeg |= None in item.jpeg_qualities
        # A batch is of one length, and of one size where the network sees frames as they are.
        alike = item.images.shape[:1] if rule.resize else item.images.shape[:3]
        waiting = self._waiting.setdefault((rule, alike), [])
        waiting.append((key, item.images))
        if len(waiting) >= self._extractors[rule].batch_clips(len(item.images)):
            self._run(rule, alike)

    def flush(self) -> None:
        """Run the networks on what is left."""
        for rule, alike in list(self._waiting):
            self._run(rule, alike)
        assert not self._open, "a video was read without an end"

    def _run(self, rule: FeatureRule, alike: tuple[int, ...]) -> None:
        waiting = self._waiting.pop((rule, alike))
        results = self._extractors[rule]([images for _, images in waiting])
        for (key, _), features in zip(waiting, results, strict=True):
            video = self._open[key]
            if not np.isfinite(features).all():
                raise FeatureError(
                    f"{video.name}: {rule.extractor} gave features that are not finite; the weights or the "
                    "arithmetic of this device are broken: `fvd-bench selftest` tells more"
                )
            video.features.append(features)
        self._finish(list(dict.fromkeys(key for key, _ in waiting)))

    def _finish(self, keys: Sequence[str]) -> None:
        """Store those of the videos of which nothing is missing any more."""
        entries: list[tuple[str, Entry]] = []
        for key in keys:
            video = self._open[key]
            if video.end is None or len(video.features) < video.clips:
                continue
            del self._open[key]
            end = video.end
            facts = Facts(end.skipped, end.found, video.damaged, tuple(sorted(video.jpeg_qualities)), video.not_jpeg)
            self.facts[key] = facts
            if end.skipped is None:
                entries.append((key, Entry(np.concatenate(video.features), facts)))
            elif end.found is not None:  # other reasons, such as a disk that does not answer, may pass
                entries.append((key, Entry(_NO_FEATURES, facts)))
        if entries:
            self._store.put(entries)


_NO_FEATURES: Features = np.zeros((0, 1), dtype=np.float32)
