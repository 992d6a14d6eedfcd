"""Which video of one side is compared with which of the other."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fvd_bench.errors import SourceError, cause
from fvd_bench.paths import PathLike, read_text, user_path
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.sources.clip_source import columns_of, most_frames_of, value_range_of
from fvd_bench.sources.opening import ClipSource
from fvd_bench.videos.files import bare_name
from fvd_bench.videos.video import Video
from fvd_bench.words import listed

BY_NAME, BY_ORDER = "name", "order"

_MOST_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of videos.

    indices: of the real and of the fake video of each pair.
    unpaired: the names of the videos of each side that are in no pair.
    """

    indices: tuple[tuple[int, int], ...]
    unpaired: Mapping[Side, tuple[str, ...]]

    def originals(self, places: Sequence[int]) -> list[int]:
        """Return for each of some pairs the number of the first of them that has the same real video: these are not
        independent. places: which pairs."""
        first: dict[int, int] = {}
        return [first.setdefault(self.indices[place][0], number) for number, place in enumerate(places)]


def pair(real: Sequence[str], fake: Sequence[str], by: PathLike = BY_NAME) -> Pairs:
    """Pair the videos of two sides, given their names.

    by: `name` pairs videos whose names are equal but for the suffix. `order` pairs the first with the first and so on,
    in the order of the listings. Anything else is the path of a CSV file with the columns `real` and `fake`, which have
    names with or without suffix. A video may be in several of its rows, such as an original with several predictions.
    Raises SourceError where there is no pair, or where it is not clear which video is meant.
    """
    if by == BY_ORDER:
        indices = [(place, place) for place in range(min(len(real), len(fake)))]
    elif by == BY_NAME:
        places = {side: _by_name(names, side) for side, names in zip(SIDES, (real, fake), strict=True)}
        indices = [(index, places["fake"][name]) for name, index in places["real"].items() if name in places["fake"]]
        if not indices:
            raise SourceError(
                f"no fake video has the name of a real one: real are {listed(real)}, fake are {listed(fake)}; give "
                "both the same names, pair them by order, or name a CSV file with the columns real and fake"
            )
    else:
        indices = _of_table(os.fspath(by), real, fake)
    unpaired: dict[Side, tuple[str, ...]] = {}
    for column, (side, names) in enumerate(zip(SIDES, (real, fake), strict=True)):
        used = {pair[column] for pair in indices}
        unpaired[side] = tuple(name for index, name in enumerate(names) if index not in used)
    return Pairs(tuple(indices), unpaired)


class PairedSide:
    """The paired videos of a side as a side of its own, in the order of the pairs: a `ClipSource`."""

    def __init__(self, source: ClipSource, indices: Sequence[int]) -> None:
        self._source = source
        self._indices = list(indices)
        self.name, self.kind, self.notes = source.name, source.kind, source.notes
        self.names = [source.names[index] for index in indices]
        self.columns = {name: [entries[index] for index in indices] for name, entries in columns_of(source).items()}
        self.value_range, self.most_frames = value_range_of(source), most_frames_of(source)

    def video(self, index: int) -> Video:
        return self._source.video(self._indices[index])


def _by_name(names: Sequence[str], side: Side) -> dict[str, int]:
    """Return the index of each name without its suffix. Raises SourceError where two are the same."""
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        if (bare := bare_name(name)) in found:
            raise SourceError(
                f"the {side} side has {names[found[bare]]} and {name}, which differ in their suffix alone: videos are "
                "paired by their names without it; pair them by order, or by a CSV file"
            )
        found[bare] = index
    return found


def _of_table(path: str, real: Sequence[str], fake: Sequence[str]) -> list[tuple[int, int]]:
    """Read pairs from a CSV file. Raises SourceError, naming the line."""
    file = user_path(path)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SourceError(f"{path} is larger than {_MOST_BYTES:,} bytes: expected a table of pairs")
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"pairs cannot be read from {path}: {cause(error)}; expected {BY_NAME}, {BY_ORDER}, or a CSV file with the "
            "columns real and fake"
        ) from error
    names = dict(zip(SIDES, (real, fake), strict=True))
    known = {side: _places(names[side]) for side in SIDES}
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    indices = []
    try:
        if not set(SIDES) <= set(reader.fieldnames or ()):
            raise SourceError(f"{path} has the columns {reader.fieldnames!r:.100}: expected real and fake among them")
        for row in reader:
            found = []
            for side in SIDES:
                name = (row[side] or "").strip()
                index = known[side].get(name)
                if index is None:
                    raise SourceError(
                        f"{path}, line {reader.line_num}: no {side} video is named {name!r:.200}; there are "
                        f"{listed(names[side])}"
                    )
                found.append(index)
            indices.append((found[0], found[1]))
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num} cannot be read: {error}; expected CSV") from error
    if not indices:
        raise SourceError(f"{path} names no pair: expected a row for each")
    return list(dict.fromkeys(indices))


def _places(names: Sequence[str]) -> dict[str, int]:
    """Return the index of each name, with its suffix and, where that is clear, without."""
    counts = Counter(map(bare_name, names))
    clear = {bare_name(name): index for index, name in enumerate(names) if counts[bare_name(name)] == 1}
    return clear | {name: index for index, name in enumerate(names)}
