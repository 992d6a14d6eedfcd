"""What is measured of pairs of videos: numbers for each pair of frames, in one pass over both videos.

Threads decode the pairs and compute what needs no network; the frames go on to LPIPS a few at a time, so memory holds
some frames of some videos, however many there are and however long.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.paired.differences import change, squared_error
from fvd_bench.paired.ssim import fits, ssim
from fvd_bench.protocols.paired import FlickeringRule, LpipsRule, PsnrRule, Rule, SsimRule
from fvd_bench.protocols.rules import Side
from fvd_bench.videos.all_frames import all_frames
from fvd_bench.videos.prefetch import Budget, in_order
from fvd_bench.videos.video import Frame, Pixels, Video

_MOST_BYTES_AHEAD = 2**29
"""Bytes of frames that wait for a network."""

Measure = str | SsimRule | LpipsRule
"""A number for each pair of frames: a squared error in the arithmetic `exact` or `uint8`, SSIM or LPIPS by a rule; or
for each frame but the first, the change of the `real` or the `fake` video."""


def measures_of(rule: Rule) -> tuple[Measure, ...]:
    """Return what a rule needs to know of each pair of frames, whatever it makes of it."""
    if isinstance(rule, PsnrRule):
        return ("exact",) if rule.arithmetic == "exact" else ("uint8", "exact")
    if isinstance(rule, FlickeringRule):
        return ("fake", "real")
    return (replace(rule, average="videos"),)


@dataclass(slots=True)
class Measured:
    """What was measured of one pair.

    size: width and height of the frames. lengths: frames of the real and of the fake video. frames: those compared.
    values: what was measured of each pair of frames. A measure whose window or network is too large for the frames is
    not among them.
    contents: digests of the real and of the fake video. damaged: frames of them that decode with errors.
    """

    size: tuple[int, int] = (0, 0)
    lengths: tuple[int, int] = (0, 0)
    values: dict[Measure, list[float]] = field(default_factory=dict)
    contents: tuple[str, str] = ("", "")
    damaged: tuple[int, int] = (0, 0)

    @property
    def frames(self) -> int:
        return min(self.lengths)


@dataclass(frozen=True, slots=True)
class Unread:
    """A pair that cannot be compared, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames of a pair for a network. real, fake: uint8 [N, H, W, 3]."""

    real: Pixels
    fake: Pixels


PairNetwork = Callable[[Pixels, Pixels], Mapping[Measure, Sequence[float]]]
"""A function from a batch of real and fake frames to what it measures of each pair."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each pair.

    measures: those that need no network. network: measures what does, None for nothing; it is run in one thread.
    batch: number of frames that it takes at a time, by height and width; 0 for frames that are too small.
    """

    measures: tuple[Measure, ...]
    network: PairNetwork | None = None
    batch: Callable[[int, int], int] = lambda height, width: 0


def measure(
    videos: Callable[[int], tuple[Video, Video]],
    count: int,
    wanted: Wanted,
    *,
    workers: int,
    progress: Callable[[int, int], None],
) -> Iterator[Measured | Unread]:
    """Yield what was measured of each of `count` pairs, in order. videos: returns the two videos of a pair."""
    budget = Budget(_MOST_BYTES_AHEAD)

    def work(place: int) -> Iterator[Batch | Measured | Unread]:
        try:
            yield from _pair(*videos(place), wanted, budget.take)
        except VideoError as error:
            yield Unread(str(error))

    by_network: dict[Measure, list[float]] = {}
    done = 0
    for _, item in in_order(range(count), work, workers=workers, budget=budget):
        if isinstance(item, Batch):
            assert wanted.network is not None
            for of, found in wanted.network(item.real, item.fake).items():
                by_network.setdefault(of, []).extend(found)
            continue
        if isinstance(item, Measured):
            item.values |= by_network
        by_network = {}
        done += 1
        progress(done, count)
        yield item


def _pair(
    real: Video, fake: Video, wanted: Wanted, reserve: Callable[[int], None]
) -> Iterator[Batch | Measured | Unread]:
    """Compare two videos. reserve: called with the bytes of each batch before it is put together.

    Raises VideoError, which says of which side it is.
    """
    found = Measured(contents=(_content("real", real), _content("fake", fake)))
    sides = _frames("real", real), _frames("fake", fake)
    held: list[tuple[Pixels, Pixels]] = []
    last: tuple[Pixels, Pixels] | None = None
    most = 0
    while True:
        first, second = next(sides[0], None), next(sides[1], None)
        if first is None or second is None:
            break
        a, b = first.pixels, second.pixels
        place = found.frames
        if a.shape != b.shape:
            yield Unread(f"frame {place} is {_size(a)} in the real video and {_size(b)} in the fake one")
            return
        if last is None:
            height, width, _ = a.shape
            found.size = width, height
            most = wanted.batch(height, width) if wanted.network else 0
            fitting = [of for of in wanted.measures if not isinstance(of, SsimRule) or fits(height, width, of)]
            found.values = {of: [] for of in fitting}
        elif a.shape != last[0].shape:
            yield Unread(f"frame {place} is {_size(a)}, the frames before it are {_size(last[0])}")
            return
        for of, values in found.values.items():
            values += _numbers(of, a, b, last)
        found.lengths = place + 1, place + 1
        found.damaged = found.damaged[0] + first.damaged, found.damaged[1] + second.damaged
        last = a, b
        if most:
            held.append(last)
            if len(held) == most:
                yield _batch(held, reserve)
                held = []
    if held:
        yield _batch(held, reserve)
    rest = [sum(1 for _ in side) + (frame is not None) for side, frame in zip(sides, (first, second), strict=True)]
    found.lengths = found.frames + rest[0], found.frames + rest[1]
    yield found if last is not None else Unread("a video of it has no frame that decodes")


def _numbers(of: Measure, real: Pixels, fake: Pixels, before: tuple[Pixels, Pixels] | None) -> list[float]:
    """Measure one pair of frames. before: the pair before it, None for the first one."""
    if isinstance(of, SsimRule):
        return [ssim(real, fake, of)]
    if of == "exact" or of == "uint8":
        return [squared_error(real, fake, of)]  # type: ignore[arg-type]  # mypy narrows a union by no comparison
    if before is None:
        return []
    return [change(before[0], real) if of == "real" else change(before[1], fake)]


def _batch(held: Sequence[tuple[Pixels, Pixels]], reserve: Callable[[int], None]) -> Batch:
    reserve(sum(a.nbytes + b.nbytes for a, b in held))
    return Batch(np.stack([a for a, _ in held]), np.stack([b for _, b in held]))


def _content(side: Side, video: Video) -> str:
    with _naming(side):
        return video.content()


def _frames(side: Side, video: Video) -> Iterator[Frame]:
    with _naming(side):
        yield from all_frames(video)


@contextlib.contextmanager
def _naming(side: Side) -> Iterator[None]:
    """Say of which side the video is that cannot be read."""
    try:
        yield
    except VideoError as error:
        raise VideoError(f"the {side} video: {error}") from error


def _size(frame: Pixels) -> str:
    return f"{frame.shape[1]}×{frame.shape[0]}"
