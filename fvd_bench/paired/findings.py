"""What people should know before they believe scores of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fvd_bench.errors import SourceError
from fvd_bench.evaluation.score import Skipped
from fvd_bench.finding import Finding, noted, of_side, some
from fvd_bench.paired.measurement import Measured, Unread
from fvd_bench.paired.pairing import Pairs
from fvd_bench.paired.scoring import Compared
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.sources.opening import ClipSource
from fvd_bench.words import agreeing, counted, listed


def find(sources: Mapping[Side, ClipSource], pairs: Pairs, of: Compared) -> Iterator[Finding]:
    """Yield what was noticed about sides and pairs."""
    for side in SIDES:
        yield from of_side(side, map(noted, sources[side].notes))
        if names := pairs.unpaired[side]:
            count, total = len(names), len(sources[side].names)
            have = counted(count, f"{side} video", "have", of=total)
            what = f"{have} no partner and {agreeing(count, 'are')} left out"
            yield Finding.of("unpaired", what, dict.fromkeys(names, ""), side=side)
        if damaged := _damaged(of, SIDES.index(side)):
            what = f"{counted(len(damaged), f'{side} video', 'have')} frames that decode with errors"
            yield Finding.of("damaged", what, damaged, side=side)
    if same := _same(of):
        if len(same) == len(of.pairs):
            yield Finding("same-videos", "the real and the fake side hold the same videos")
        else:
            what = counted(len(same), "pair", "are", of=len(of.pairs))
            yield Finding.of("shared-files", f"{what} one video twice, with the same bytes on both sides", same)
    if unread := _unread(of):
        what = counted(len(unread), "pair", "are", of=len(of.pairs))
        yield Finding.of("pairs-skipped", f"{what} not compared", unread)
    if unequal := _unequal(of):
        what = counted(len(unequal), "pair", "differ", of=len(of.pairs))
        yield Finding.of("unequal-lengths", f"{what} in length", unequal)


def refuse_left_out(pairs: Pairs, of: Compared) -> None:
    """Raise SourceError where a video has no partner, or a pair cannot be compared or differs in length."""
    for side in SIDES:
        if names := pairs.unpaired[side]:
            raise SourceError(f"the {side} videos {listed(dict.fromkeys(names))} have no partner, {_STRICT}")
    if faults := {**_unequal(of), **_unread(of)}:
        raise SourceError(f"pairs cannot be compared as they are: {some(faults)}, {_STRICT}")


def refuse_skipped(name: str, skipped: Sequence[Skipped]) -> None:
    """Raise SourceError where a score of this name leaves out a video, as one of frames that are too small for it."""
    if skipped:
        raise SourceError(f"{name}: {some({left.video: left.reason for left in skipped})}, {_STRICT}")


_STRICT = "and --strict allows no video to be left out"


def _same(of: Compared) -> dict[str, str]:
    pairs = zip(of.names, of.pairs, strict=True)
    return {
        fake: "" if real == fake else f"as {real}"
        for (real, fake), pair in pairs
        if isinstance(pair, Measured) and pair.contents[0] == pair.contents[1]
    }


def _unread(of: Compared) -> dict[str, str]:
    return {name: pair.reason for name, pair in _named(of) if isinstance(pair, Unread)}


def _damaged(of: Compared, column: int) -> dict[str, str]:
    """Count the damaged frames of each video of a side that has some. column: 0 for the real side, 1 for the fake."""
    pairs = zip(of.names, of.pairs, strict=True)
    return {
        names[column]: f"{pair.damaged[column]} of {pair.frames}"
        for names, pair in pairs
        if isinstance(pair, Measured) and pair.damaged[column]
    }


def _unequal(of: Compared) -> dict[str, str]:
    return {
        name: f"{counted(pair.lengths[0], 'real frame')}, {counted(pair.lengths[1], 'fake one')}"
        for name, pair in _named(of)
        if isinstance(pair, Measured) and pair.lengths[0] != pair.lengths[1]
    }


def _named(of: Compared) -> Iterator[tuple[str, Measured | Unread]]:
    """Yield each pair with its name: that of its fake video, and of its real one too where other pairs have that
    fake."""
    times = Counter(fake for _, fake in of.names)
    for (real, fake), pair in zip(of.names, of.pairs, strict=True):
        yield fake if times[fake] == 1 else f"{fake} with {real}", pair
