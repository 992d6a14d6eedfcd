"""What the names of a folder's images say: their order, and whether they are the frames of one video at all.

The order is the natural one, in which runs of digits count as numbers. Where all names are the same but for one number,
signs and decimals count as well, unless these may be separators: -2, -1, 0 and 0.96, 1, 1.04 are put in the order of
their values; frame-1, frame-2 and 1.9, 1.10 are not. What cannot be known is reported as a doubt.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from fvd_bench.words import counted

_EVEN = 0.10
"""Fraction of the largest step by which other steps may differ where numbers count as evenly spaced."""

_Texts = tuple[str, ...]
_Place = tuple[str, ...]


class Doubt(NamedTuple):
    """Something in the names of a folder that may not be what people mean. code: a code of `faults.FAULTS`."""

    code: str
    detail: str


class FrameNames:
    """The names of the images in a folder. ordered: the names in the order in which their images are shown."""

    def __init__(self, names: Sequence[str]) -> None:
        self._numbers = _common_numbers(names)
        self._values = _values(self._numbers)
        self.ordered = sorted(names, key=self._key)

    @cached_property
    def mixture(self) -> str | None:
        """Why the images are not the frames of one video, such as two images with the same place. None if they can
        be."""
        stems = Counter(map(_stem, self.ordered))
        if twice := next((stem for stem, count in stems.items() if count > 1), None):
            return _mixed("the same name with two suffixes", [n for n in self.ordered if _stem(n) == twice])
        if self._values:
            return _mixed_if_equal(self._values)
        for places in self._patterns.values():
            if found := _mixed_if_equal(places):
                return found
        longest = max(self._patterns.values(), key=len, default={})
        numbers = set(longest.values())
        for places in self._patterns.values():
            shared = numbers & set(places.values())
            if places is not longest and len(places) > 1 and 2 * len(shared) >= len(places):
                firsts = [next(iter(longest)), next(iter(places))]
                return _mixed(f"two sequences with {len(shared)} numbers in common", firsts)
        return None

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the names leave in doubt. Empty where they are a mixture."""
        if self._values or len(self.ordered) < 2 or self.mixture is not None:
            return ()
        found = (self._unlike_most(), self._decimals_or_not(), self._counted_again())
        return tuple(doubt for doubt in found if doubt is not None)

    @cached_property
    def _patterns(self) -> dict[_Texts, dict[str, _Place]]:
        """For each pattern, the texts between the numbers of a name: the names that have it in order, and their
        numbers."""
        found: dict[_Texts, dict[str, _Place]] = {}
        for name in self.ordered:
            parts = re.split(r"(\d+)", _stem(name))
            texts, numbers = tuple(parts[::2]), parts[1::2]
            # Leading zeros of a number do not count, but those right after a point may.
            place = tuple(n if text == "." else n.lstrip("0") for text, n in zip(texts, numbers, strict=False))
            found.setdefault(texts, {})[name] = place
        return found

    def _key(self, name: str) -> tuple[float, tuple[tuple[int, str], ...]]:
        return self._values[name] if self._values else 0.0, _natural(name)

    def _unlike_most(self) -> Doubt | None:
        usual = max(self._patterns, key=lambda texts: len(self._patterns[texts]))
        count = len(self._patterns[usual])
        if 2 * count > len(self.ordered):
            odd = [name for name in self.ordered if name not in self._patterns[usual]]
            like = next(iter(self._patterns[usual]))
            return Doubt("odd-images", f"{_few(odd)} beside {counted(count, 'image')} like {like}") if odd else None
        places = {(texts[0], *place[:1]) for texts, names in self._patterns.items() for place in names.values()}
        if len({texts[0] for texts in self._patterns}) == 1 and len(places) == len(self.ordered):
            return None  # each name begins with a number of its own
        return Doubt("frame-order", f"names without a common pattern, in the order {_few(self.ordered)}")

    def _decimals_or_not(self) -> Doubt | None:
        if self._numbers is None or _counts(list(self._numbers.values())):
            return None
        as_decimals = sorted(self.ordered, key=lambda name: (float((self._numbers or {})[name]), _natural(name)))
        if as_decimals == self.ordered:
            return None
        first, smaller = next((a, b) for a, b in zip(self.ordered, as_decimals, strict=True) if a != b)
        return Doubt("frame-order", f"{first} is taken to be before {smaller}, which it is not if these are decimals")

    def _counted_again(self) -> Doubt | None:
        """Find names such as cam1_0001 and cam2_0001, whose last number runs through the same values again and
        again."""
        if len(self._patterns) > 1 or (self._numbers and _are_even(list(map(float, self._numbers.values())))):
            return None
        counts: dict[_Place, set[str]] = {}
        for place in next(iter(self._patterns.values())).values():
            counts.setdefault(place[:-1], set()).add(place[-1] if place else "")
        first, *others = counts.values()
        if not others or len(first) < 2 or any(other != first for other in others):
            return None
        ends = f"{self.ordered[0]} to {self.ordered[-1]}"
        return Doubt("frame-order", f"{len(counts)} times the same {len(first)} numbers, {ends}, taken for one video")


def _mixed(what: str, names: Sequence[str]) -> str:
    return (
        f"its images are not the frames of one video: {what}, {' and '.join(names[:2])}; expected one image for each "
        "frame: put masks, depth maps, thumbnails and other videos into folders of their own"
    )


def _mixed_if_equal(places: Mapping[str, object]) -> str | None:
    """Return the message for two names with equal places, or None where no places are equal."""
    first: dict[object, str] = {}
    for name, place in places.items():
        if first.setdefault(place, name) != name:
            return _mixed("the same number twice", [first[place], name])
    return None


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _common_numbers(names: Sequence[str]) -> dict[str, str] | None:
    """Return the number of each name if the names differ in one number alone, with its sign if it has one. Else
    None."""
    parts = [_around_last_number(_stem(name)) for name in names]
    if len({(before, after) for before, _, _, after in parts}) != 1 or not parts[0][2]:
        return None
    before, hyphens = parts[0][0], {hyphen for _, hyphen, _, _ in parts}
    numbers = {name: number for name, (_, _, number, _) in zip(names, parts, strict=True)}
    if hyphens == {""}:
        return numbers
    signed = {name: hyphen + number for name, (_, hyphen, number, _) in zip(names, parts, strict=True)}
    values = list(map(float, signed.values()))
    if hyphens == {"-"} and (before or 0 in values):  # after a text, or before a zero, it is a separator
        return numbers
    return signed if not before or _are_even(values) else None


def _around_last_number(stem: str) -> tuple[str, str, str, str]:
    """Split at the last number: the text before it, a hyphen if there is one, the number with its decimals, the text
    after it."""
    *before, number, after = ["", *re.split(r"([0-9]+)", stem)]
    if len(before) > 3 and before[-1] == ".":
        number = f"{before[-2]}.{number}"
        del before[-2:]
    text = "".join(before)
    return text.removesuffix("-"), "-" if text.endswith("-") else "", number, after


def _values(numbers: Mapping[str, str] | None) -> dict[str, float] | None:
    """Return the values of numbers that certainly have signs or decimals. Else None."""
    if numbers is None:
        return None
    is_signed = any(number.startswith("-") for number in numbers.values())
    if not is_signed and not _are_decimals(list(numbers.values())):
        return None
    return {name: float(number) for name, number in numbers.items()}


def _are_decimals(numbers: Sequence[str]) -> bool:
    """Return whether points are certainly decimal points.

    Where all numbers have equally many decimals it does not matter, since both orders are the same.
    """
    decimals = [number.partition(".")[2] for number in numbers]
    if len(set(map(len, decimals))) == 1 or _counts(numbers):
        return False
    if any(len(d) > 1 and d.endswith("0") for d in decimals):  # programs write all trailing zeros or none
        return False
    return any(len(d) > 1 and d.startswith("0") for d in decimals) or _are_even(list(map(float, numbers)))


def _counts(numbers: Sequence[str]) -> bool:
    """Return whether the numbers after the points are counts.

    They are if, for each number before the point, they go up evenly, as in 1.8, 1.9, 1.10.
    """
    behind: dict[str, list[float]] = {}
    for number in numbers:
        before, point, count = number.partition(".")
        if not point or (len(count) > 1 and count.startswith("0")):
            return False
        behind.setdefault(before, []).append(float(count))
    return all(len(c) == 1 or _are_even(c) or (len(c) == 2 and abs(c[0] - c[1]) == 1) for c in behind.values())


def _are_even(values: Sequence[float]) -> bool:
    """Return whether these are three values or more that are evenly spaced."""
    steps = [b - a for a, b in itertools.pairwise(sorted(values))]
    return len(steps) > 1 and min(steps) > 0 and max(steps) - min(steps) <= _EVEN * max(steps)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key in which runs of digits count as numbers, however long. The name itself breaks ties."""
    parts = re.split(r"(\d+)", name)
    return (*(_digits(p) if p.isdecimal() else (-1, p) for p in parts if p), (-2, name))


def _digits(run: str) -> tuple[int, str]:
    """Return the sort key of a number: without leading zeros, more digits mean a larger number."""
    ascii_run = run if run.isascii() else "".join(str(int(digit)) for digit in run)
    significant = ascii_run.lstrip("0")
    return len(significant), significant
