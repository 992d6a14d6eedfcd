"""What an engine is: something that computes features elsewhere than in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from fvd_bench.errors import VideoError
from fvd_bench.features.jobs import Tasks, VideosDone
from fvd_bench.features.store import Facts, FeatureStore
from fvd_bench.networks import FeatureExtractor
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.sources.opening import ClipSource


class Engine(Protocol):
    """What digests videos and computes features. `features.cluster.ray_data` is one."""

    def contents(self, source: ClipSource, indices: Sequence[int]) -> Iterator[str | VideoError]:
        """Yield the content digest of each of these videos, or why it cannot be read. Raises FvdBenchError."""

    def features(
        self,
        source: ClipSource,
        tasks: Tasks,
        contents: Mapping[int, str],
        extractors: Mapping[FeatureRule, FeatureExtractor],
        store: FeatureStore,
        progress: VideosDone,
    ) -> dict[str, Facts]:
        """Put the features of all tasks into the store. Return the facts about the videos by key. Raises
        FvdBenchError.

        contents: the content digests of the videos, by index.
        """
