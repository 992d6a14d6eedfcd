"""What can be wrong with the videos of one side or of two: the codes, and the rules that compare videos."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fvd_bench.finding import Finding
from fvd_bench.videos.header import RAW, SDR, Probe
from fvd_bench.words import agreeing

FAULTS = {
    "listing": "something beside the videos is left out, or names are alike",
    "unreadable": "no frame decodes",
    "truncated": "fewer frames decode than the container promises",
    "damaged": "frames decode with errors, or data before them is lost, or reading breaks off",
    "too-short": "fewer frames decode than a clip of a protocol needs",
    "black": "all frames are black",
    "frozen": "no frame differs from the first",
    "missing-frames": "the numbers of a folder's images have gaps",
    "two-sequences": "the images of a folder are not the frames of one video: two have the same name or number",
    "odd-images": "a folder holds images that are not named as the others",
    "frame-order": "the names of a folder's images leave their order in doubt",
    "interlaced": "each frame of a file is made of two fields, which are of two moments",
    "pixel-aspect": "the pixels of a file are not square, and are used as if they were",
    "hdr": "a file has the transfer of high dynamic range, PQ or HLG, and no tone mapping is done",
    "several-streams": "a file holds more than one video stream, of which one is used",
    "mirrored": "frames are mirrored for display, by a display matrix or EXIF",
    "size-changes": "the frames of one video differ in size",
    "transparent": "pixels are not opaque, and are laid over black",
    "variable-rate": "the frames of a file do not follow each other at equal intervals",
    "value-range": "the values of arrays use little of the range that is stated of them",
    "clipped-range": "values of arrays lie outside of the range that is stated of them, and are clipped",
    "duplicate-files": "videos of one side have the same bytes",
    "duplicate-frames": "files of one side differ and decode to the same frames",
    "duplicate-starts": "videos of one side begin with the same frame, which is not black, and are not the same",
    "shared-files": "a video of one side has the bytes of one of the other",
    "shared-frames": "a video of one side decodes to the frames of another file of the other side",
    "mixed-sizes": "the videos of one side differ in size",
    "mixed-rates": "the videos of one side differ in frame rate",
    "mixed-codecs": "the videos of one side differ in codec",
    "mixed-qualities": "the JPEG frames of one side differ in quality",
    "size-mismatch": "more than half of one side have another size than more than half of the other",
    "rate-mismatch": "the median frame rates of the sides differ",
    "codec-mismatch": "more than half of one side have another codec than more than half of the other",
    "transfer-mismatch": "more than half of one side are of high dynamic range, and not more than half of the other",
    "jpeg-mismatch": "the JPEG frames of the sides differ in quality",
}
"""Code -> what it means. The codes are a contract."""

TRANSPARENT = "pixels that are not opaque and are laid over black; programs that drop alpha see others"

_SAME_RATE = 1.01
"""Rates with a ratio up to this count as the same: 30000/1001 and 30 differ by 0.1 %, 24 and 25 by 4 %."""

_SAME_ASPECT = 1.01
"""Pixels with an aspect ratio up to this count as square: programs that resize round the ratio to keep the aspect of
the whole frame."""


def is_same_rate(one: float, other: float) -> bool:
    """Return whether two frame rates count as the same."""
    return max(one, other) <= _SAME_RATE * min(one, other)


@dataclass(frozen=True, slots=True)
class Appearance:
    """How one video looks from outside: its name, its (width, height), and its header; None where not known."""

    name: str
    size: tuple[int, int] | None
    header: Probe | None

    @property
    def rate(self) -> float | None:
        return self.header.rate if self.header else None

    @property
    def codec(self) -> str | None:
        return self.header.codec if self.header and self.header.codec != RAW else None


def size_text(size: tuple[int, int]) -> str:
    """Return width and height of frames, in pixels, as people read them."""
    return f"{size[0]}×{size[1]}"


def rate_text(rate: float) -> str:
    """Return frames per second as people read them."""
    return f"{rate:.6g}"


def little_used(who: str, levels: tuple[int, int] | None, *, stated: tuple[float, float] | None) -> Iterator[Finding]:
    """Yield findings on arrays that use less than half of their range, or hardly any of its lower half.

    levels: lowest and highest level of the uint8 frames, None where these come from no array.
    stated: the values of black and white of the floats that the frames were made of. None for uint8, which needs no
    statement; then only values of 0 and 1 alone are reported.
    """
    if levels is None:
        return
    lowest, highest = levels
    if stated is None:
        if highest <= 1:
            values = "are 0 and 1 alone, which is black" if highest else "are 0 alone, which is black"
            yield Finding("value-range", f"the values of the {who} {values}: expected uint8 from 0 to 255")
        return
    black, white = stated
    low, high = (black + (white - black) * level / 255 for level in levels)
    uses = f"the values of the {who} lie between {low:.3g} and {high:.3g}, of the stated range {black:g} to {white:g}"
    if lowest >= 128 - _OVERSHOOT:
        less = "hardly any of its lower half"
    elif highest - lowest < 128:
        less = "less than half of it"
    else:
        return
    yield Finding("value-range", f"{uses}: {less} is used; state the values of black and white, 0 and 1 for instance")


_OVERSHOOT = 16
"""The number of levels by which networks leave the range that they were made for."""


def mixed(who: str, seen: Sequence[Appearance]) -> Iterator[Finding]:
    """Yield findings where the videos of one side differ, naming those unlike most. who: such as `real videos`."""
    sizes = {v.name: size_text(v.size) for v in seen if v.size}
    if odd := _odd(sizes):
        yield Finding.of("mixed-sizes", f"{who} differ in size, most are {_most(sizes)}", odd)
    rates = {v.name: v.rate for v in seen if v.rate}
    usual = statistics.mode(rates.values()) if rates else 0.0
    if odd := {n: rate_text(r) for n, r in rates.items() if not is_same_rate(r, usual)}:
        yield Finding.of("mixed-rates", f"{who} differ in frame rate, most have {rate_text(usual)}", odd)
    codecs = {v.name: v.codec for v in seen if v.codec}
    if odd := _odd(codecs):
        yield Finding.of("mixed-codecs", f"{who} differ in codec, most are {_most(codecs)}", odd)


def uncommon(who: str, seen: Sequence[Appearance]) -> Iterator[Finding]:
    """Yield findings on videos whose headers say that frames are not what they seem. who: such as `real videos`."""
    headers = {v.name: v.header for v in seen if v.header}
    found = {
        "interlaced": {name: "" for name, h in headers.items() if h.is_interlaced},
        "pixel-aspect": {
            name: "{}:{}".format(*aspect)
            for name, h in headers.items()
            if (aspect := h.pixel_aspect) and max(aspect) > _SAME_ASPECT * min(aspect)
        },
        "hdr": {name: h.transfer for name, h in headers.items() if h.transfer != SDR},
        "mirrored": {name: "" for name, h in headers.items() if h.is_mirrored},
        "several-streams": {n: "number {} of {}".format(*h.stream) for n, h in headers.items() if h.stream[1] > 1},
    }
    for code, videos in found.items():
        if videos:
            verb, rest = _UNCOMMON[code]
            yield Finding.of(code, f"of the {who} {len(videos)} {agreeing(len(videos), verb)} {rest}", videos)


_UNCOMMON = {
    "interlaced": ("are", "interlaced, so that each frame mixes two moments; deinterlace such videos"),
    "pixel-aspect": (
        "have",
        "pixels that are not square and are used as they are stored, which stretches what they show; resize such "
        "videos to square pixels",
    ),
    "hdr": (
        "are",
        "of high dynamic range and used without tone mapping, which makes frames flat and grey; tone-map such videos",
    ),
    "mirrored": (
        "are",
        "mirrored for display, by a display matrix or EXIF, which is heeded; programs that read angles alone, or "
        "nothing, see other frames",
    ),
    "several-streams": (
        "hold",
        "more than one video stream, of which FFmpeg's choice is used; programs on PyAV usually take the first",
    ),
}
"""Code of a finding -> what it says of some videos: a verb, and the rest."""


def mismatched(real: Sequence[Appearance], fake: Sequence[Appearance], *, who: tuple[str, str]) -> Iterator[Finding]:
    """Yield findings where most videos of one side are unlike most of the other. who: what to call each side's."""
    sides = (real, fake)
    sizes = [_usual([v.size for v in seen if v.size]) for seen in sides]
    if sizes[0] and sizes[1] and sizes[0] != sizes[1]:
        yield Finding("size-mismatch", _against("sizes", who, *(size_text(size) for size in sizes if size)))
    rates = [statistics.median(found) for seen in sides if (found := [v.rate for v in seen if v.rate])]
    if len(rates) == 2 and not is_same_rate(*rates):
        yield Finding("rate-mismatch", _against("frame rates", who, *map(rate_text, rates)))
    codecs = [_usual([v.codec for v in seen if v.codec]) for seen in sides]
    if codecs[0] and codecs[1] and codecs[0] != codecs[1]:
        yield Finding("codec-mismatch", _against("codecs", who, codecs[0], codecs[1]))
    transfers = [_usual([v.header.transfer for v in seen if v.header]) for seen in sides]
    if transfers[0] and transfers[1] and transfers[0] != transfers[1]:
        yield Finding("transfer-mismatch", _against("transfers", who, transfers[0], transfers[1]))


_Value = TypeVar("_Value")


def _usual(values: Sequence[_Value]) -> _Value | None:
    """Return the value that more than half of them have, None if there is none."""
    return next((value for value, count in Counter(values).items() if 2 * count > len(values)), None)


def duplicates(who: str, digests: Mapping[str, str], *, of: str, but: Mapping[str, str] | None = None) -> list[Finding]:
    """List videos of one side that have the digest of an earlier one.

    of: what the digests are of, `files`, `frames` or `starts`. digests: video -> digest.
    but: other digests. Videos that have these in common as well are not reported.
    """
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for name, digest in digests.items():
        original = first.setdefault(digest, name)
        if original != name and not (but and but.get(name) is not None and but.get(name) == but.get(original)):
            found[name] = f"as {original}"
    what = f"{len(found)} of {len(digests)} {who} {agreeing(len(found), 'have')} the {_same(of)} as another of them"
    return [Finding.of(f"duplicate-{of}", what, found)] if found else []


def shared(
    one: Mapping[str, str],
    other: Mapping[str, str],
    *,
    of: str,
    who: tuple[str, str],
    but: frozenset[str] = frozenset(),
) -> list[Finding]:
    """List videos of the second side that have the digest of one of the first. but: videos that are not reported.

    The other arguments are those of `duplicates`.
    """
    owners = {digest: name for name, digest in reversed(list(one.items()))}
    found = {name: f"as {owners[d]}" for name, d in other.items() if d in owners and name not in but}
    have = agreeing(len(found), "have")
    what = f"{len(found)} of {len(other)} {who[1]} {have} the {_same(of)} as one of the {who[0]}"
    return [Finding.of(f"shared-{of}", what, found)] if found else []


def _same(of: str) -> str:
    return {"files": "same bytes", "frames": "same frames, in another file,", "starts": "same first frame"}[of]


def _against(what: str, who: tuple[str, str], one: str, other: str) -> str:
    return f"the {what} differ between the sides: {one} for most {who[0]}, {other} for most {who[1]}"


def _most(values: Mapping[str, str]) -> str:
    return Counter(values.values()).most_common(1)[0][0]


def _odd(values: Mapping[str, str]) -> dict[str, str]:
    """Return those whose value is not the most common one."""
    usual = _most(values) if values else ""
    return {name: value for name, value in values.items() if value != usual}
