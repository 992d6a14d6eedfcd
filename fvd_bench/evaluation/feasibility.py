"""Whether both sides hold enough for a score at all, found out before any network is loaded.

The listing says how many videos there are. That they are long enough no header can say, only decoding: so videos are
decoded as far as a clip needs, from the first on, until there are enough. Videos that are made on demand are not made
for this. A side that is refused here would have got no score after all networks had run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fvd_bench import metrics
from fvd_bench.errors import ArgumentError, MetricError, ShortVideoError, SourceError, VideoError
from fvd_bench.evaluation.score import Skipped
from fvd_bench.features.given import Given
from fvd_bench.finding import some
from fvd_bench.networks import NETWORKS, Network
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import ClipRule, Side
from fvd_bench.protocols.windows import window_protocols
from fvd_bench.sources.array_folder import ArrayFolder
from fvd_bench.sources.arrays import ArrayVideos
from fvd_bench.sources.clip_source import most_frames_of
from fvd_bench.sources.fetched import AtAddress
from fvd_bench.sources.iterables import IterableVideos
from fvd_bench.sources.listing import FileSource
from fvd_bench.videos.clips import reason
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.sampling import clip_indices
from fvd_bench.words import counted

_Stored = FileSource | ArrayFolder | ArrayVideos | IterableVideos | AtAddress
"""Sides whose videos lie somewhere. Those of others, such as a `GeneratorSource`, may take minutes to make."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """Why a protocol gets no score. skipped: the videos of each side that were seen and cannot be used."""

    reason: str
    skipped: Mapping[Side, tuple[Skipped, ...]] = field(default_factory=dict)


def too_few(
    looks: Mapping[Side, Look],
    protocols: Sequence[Protocol],
    *,
    required: Sequence[Protocol] = (),
    strict: bool,
) -> dict[Protocol, Unserved]:
    """Return the protocols of which no metric can be computed from these sides, and what was found and is needed.

    looks: what is known of each side. It grows.
    required: protocols without which the others are worth nothing.
    strict: whether a video that has to be skipped is an error.
    Raises MetricError where no protocol is left or a required one is lost, and where one is lost to skipped videos
    although none may be; SourceError where that is so because a side has nothing but single images.
    """
    found = {p: Unserved(why) for p in protocols if (why := _single_images(p, looks))}
    if found and _is_vain(found, protocols, required):
        raise SourceError("; ".join(dict.fromkeys(lost.reason for lost in found.values())))
    protocols = [p for p in protocols if p not in found]
    return found | _too_few(looks, protocols, required=required, strict=strict)


def _too_few(
    looks: Mapping[Side, Look], protocols: Sequence[Protocol], *, required: Sequence[Protocol], strict: bool
) -> dict[Protocol, Unserved]:
    """Do as `too_few` does, by counts alone."""
    found: dict[Protocol, Unserved] = {}
    for decodes in (False, True):  # the listings of both sides cost nothing, so they come first
        for protocol in protocols:
            if protocol not in found:
                lacking = [_lacking(looks, protocol, name, decodes=decodes) for name in protocol.metric.names]
                if all(lacking):
                    found[protocol] = Unserved(
                        lacking[0], {side: look.skipped(protocol) for side, look in looks.items()}
                    )
        skipping = [look.given for look in looks.values() if look.skips]
        if _is_vain(found, protocols, required) or (found and strict and skipping):
            for given in skipping:
                given.check_readable()  # a side without any video that decodes says so itself
            told = [protocol for protocol in required if protocol in found] or found
            raise MetricError(
                "; ".join(dict.fromkeys(f"{protocol.name}: {found[protocol].reason}" for protocol in told))
            )
    return found


def _is_vain(lost: Container[Protocol], protocols: Sequence[Protocol], required: Sequence[Protocol]) -> bool:
    """Return whether what is left of the protocols is worth nothing."""
    return all(protocol in lost for protocol in protocols) or any(protocol in lost for protocol in required)


def check_windows(look: Look, protocols: Sequence[Protocol], windows: int) -> None:
    """Raise ArgumentError where so many windows are asked for that the last is worth a look, and no fake video reaches
    it. look: what is known of the fake side. It grows."""
    for protocol in protocols if windows > _FEW_WINDOWS else ():
        *_, last = needed = [window.fake.frames_needed for window in window_protocols(protocol, windows).values()]
        longest = look.longest(last)
        if longest is not None and longest < last:
            raise ArgumentError(
                f"windows = {windows}: of {protocol.name} the last one ends at frame {last}, and the longest fake "
                f"video has {counted(longest, 'frame')}: ask for at most "
                f"{max(1, sum(frames <= longest for frames in needed))}"
            )


_FEW_WINDOWS = 64
"""Up to this number, windows that no video reaches are scored like others, and get no value: that takes less time than
to look for the longest video."""


def shortage(metric: str, protocol: Protocol, side: Side, count: int) -> str:
    """Say that a metric needs more features of a side than it gets; empty where it gets enough."""
    fewest = metrics.fewest(metric, protocol.metric)[side]
    if count >= fewest:
        return ""
    return f"{metric} needs at least {fewest} {side} {_network(protocol).sees} and gets {count}"


def _network(protocol: Protocol) -> Network:
    return NETWORKS[protocol.features.extractor]


def _single_images(protocol: Protocol, looks: Mapping[Side, Look]) -> str:
    """Say what a protocol needs of a side that has nothing but single images; empty where it can use them."""
    for side, look in looks.items():
        rule, source = protocol.clip_rule(side), look.given.source
        most = most_frames_of(source)
        if most is not None and most < rule.frames_needed and not rule.takes_real:
            return (
                f"{source.name} has no folders of frames but {counted(len(source.names), 'single image')}, and "
                f"{protocol.name} needs {rule.frames_needed} frames of each {side} video: put the frames of each video "
                "into a folder of its own, video/000000.jpg, and pass the folder above them, or score single images by "
                "torch-fidelity-fid"
            )
    return ""


def _lacking(looks: Mapping[Side, Look], protocol: Protocol, metric: str, *, decodes: bool) -> str:
    """Say what a metric needs and does not get, empty where it gets enough, or may do so for all that was seen.

    decodes: whether videos are decoded to see more.
    """
    sentences: list[str] = []
    for side, fewest in metrics.fewest(metric, protocol.metric).items():
        rule = protocol.clip_rule(side)
        look = looks["real" if rule.takes_real else side]
        count = look.features(rule, fewest, _network(protocol), decodes=decodes)
        if short := shortage(metric, protocol, side, count):
            sentences.append("; ".join([f"{short}: {look.held()}", *look.losses(rule)]))
    return "; ".join(sentences)


class Look:
    """What was seen of the videos of a side so far.

    workers: number of threads that decode. skips: whether a video was seen that cannot be used.
    """

    def __init__(self, given: Given, side: Side, workers: int) -> None:
        self.given = given
        self._side = side
        self._workers = workers
        self._frames: dict[int, int] = {}
        self._short: set[int] = set()
        self._broken: dict[int, VideoError] = {}

    @property
    def skips(self) -> bool:
        return bool(self._short or self._broken)

    def features(self, rule: ClipRule, fewest: int, network: Network, *, decodes: bool) -> int:
        """Count the features that a network gives of the side by a rule, up to `fewest`.

        decodes: whether videos are decoded to see how long they are. Otherwise they count as long enough.
        """
        if self.given.known is not None:
            return fewest if self.given.known.is_given else self.given.known.count
        videos = len(self.given.source.names)
        times = rule.count if rule.count is not None and rule.selection == "repeated" else 1
        at_most = math.inf  # where a video gives more the longer it is
        if not rule.clips_by_length:
            used = videos * times if rule.count is None else min(videos * times, rule.count)
            at_most = used if rule.frames == "whole" else network.count([int(rule.frames)] * used)
        if at_most < fewest or not (decodes and self._can_look):
            return int(min(at_most, fewest))
        found = 0
        for index, frames in self._lengths(_frames_for(rule, fewest, network)):
            with contextlib.suppress(ShortVideoError):
                clips = clip_indices(frames, rule, side=self._side, seed=0, place=index)
                found += times * network.count(list(map(len, clips)))
            if found >= fewest:
                break
        return int(min(found, at_most, fewest))

    def longest(self, wanted: int) -> int | None:
        """Return the length of the longest video, up to `wanted`. None for a side whose videos are not looked at."""
        if not self._can_look:
            return None
        found = 0
        for _, frames in self._lengths(wanted):
            found = max(found, frames)
            if found >= wanted:
                break
        return found

    @property
    def _can_look(self) -> bool:
        return self.given.has_frames and isinstance(self.given.source, _Stored)

    def held(self) -> str:
        """Say how many videos the side holds."""
        videos = len(self.given.source.names)
        return f"{self.given.source.name} holds {counted(videos, 'video')}"

    def losses(self, rule: ClipRule) -> Iterator[str]:
        """Yield why videos that were seen are not used."""
        names, needed = self.given.source.names, rule.frames_needed
        short = [self._frames[index] for index in self._short if self._frames[index] < needed]
        if short:
            yield (
                f"{counted(len(short), f'{self._side} video', 'are')} skipped; a clip needs {needed} frames and the "
                f"longest of the short videos has {max(short)}"
            )
        if self._broken:
            broken = {names[i]: str(self._broken[i]) for i in sorted(self._broken)}
            yield f"{counted(len(broken), f'{self._side} video')} cannot be used: {some(broken)}"

    def skipped(self, protocol: Protocol) -> tuple[Skipped, ...]:
        """List the videos that were seen and are of no use to a protocol, and why."""
        rule, source = protocol.clip_rule(self._side), self.given.source
        errors: dict[int, VideoError] = {
            index: ShortVideoError(self._frames[index], rule.frames_needed)
            for index in self._short
            if self._frames[index] < rule.frames_needed
        }
        errors |= self._broken
        found = ((source.names[index], reason(source.video(index), error)) for index, error in errors.items())
        return tuple(Skipped(name, why) for name, why in sorted(found))

    def _lengths(self, wanted: int) -> Iterator[tuple[int, int]]:
        """Yield each video's index, and its length up to `wanted`. The first ones are enough as a rule, so that only
        later ones are decoded ahead."""
        first = min(2, len(self.given.source.names))
        yield from ((index, self._length(index, wanted)) for index in range(first))
        rest = range(first, len(self.given.source.names))
        yield from in_order(rest, lambda index: iter([self._length(index, wanted)]), workers=self._workers)

    def _length(self, index: int, wanted: int) -> int:
        """Return how many frames of a video decode, up to `wanted`; 0 where it cannot be used."""
        if index not in self._broken and index not in self._short and self._frames.get(index, 0) < wanted:
            self._frames[index] = wanted
            try:
                for _ in self.given.source.video(index).frames(np.array([wanted - 1], dtype=np.int64)):
                    pass
            except ShortVideoError as error:
                self._frames[index] = error.found
                self._short.add(index)
            except VideoError as error:
                self._frames[index], self._broken[index] = 0, error
        return min(self._frames[index], wanted)


def _frames_for(rule: ClipRule, features: int, network: Network) -> int:
    """Return the length of a video that gives so many features, or all that a video can give."""
    if rule.frames == "all":
        return max(rule.frames_needed, rule.given_frames + (features - 1) * rule.stride + 1)
    if not rule.clips_by_length:
        return rule.frames_needed
    clips = math.ceil(features / network.count([int(rule.frames)]))
    return max(rule.frames_needed, rule.given_frames + clips * rule.span)
