"""What a run sees of its two sides without decoding: digests that it has anyway, and the headers of some videos."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from fvd_bench.errors import VideoError
from fvd_bench.features.given import Given
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import Finding, of_side
from fvd_bench.inspection import faults
from fvd_bench.inspection.faults import Appearance
from fvd_bench.inspection.motion_of_sides import evenly_spaced
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.videos.files import suffix
from fvd_bench.videos.header import RAW, Probe
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.probe import probe

MOST_VIDEOS = 64
"""The most headers that are read per side, whatever the number of videos. Each takes 2 to 10 ms."""

_WHO = ("real videos", "fake videos")


def header_findings(
    sides: Mapping[Side, Given],
    stores: Mapping[Side, FeatureStore],
    contents: Mapping[Side, Mapping[int, str]],
    *,
    versions: Mapping[str, str],
    workers: int,
) -> list[Finding]:
    """Find duplicates within and between the sides, and sizes, rates and codecs that do not agree.

    stores: what remembers headers. contents: index -> digest of a video's contents, for videos that could be read.
    versions: of all software that can change what a header says.
    """
    files = [{sides[side].source.names[i]: digest for i, digest in sorted(contents[side].items())} for side in SIDES]
    seen = [_seen(sides[side], stores[side], contents[side], versions=versions, workers=workers) for side in SIDES]
    found: list[Finding] = []
    for side, who, digests in zip(SIDES, _WHO, files, strict=True):
        found += of_side(side, faults.duplicates(who, digests, of="files"))
    if set(files[0].values()) != set(files[1].values()):  # else the sides are the same, which is reported elsewhere
        found += faults.shared(*files, of="files", who=_WHO)
    for side, who, some in zip(SIDES, _WHO, seen, strict=True):
        sample = _sample(who, len(some), len(sides[side].source.names))
        found += of_side(side, [*faults.uncommon(sample, some), *faults.mixed(sample, some)])
    found += faults.mismatched(*seen, who=_WHO)
    return found


def _sample(who: str, looked: int, total: int) -> str:
    return who if looked == total else f"{who}, of which {looked} of {total} were looked at,"


def _seen(
    given: Given, store: FeatureStore, contents: Mapping[int, str], *, versions: Mapping[str, str], workers: int
) -> Sequence[Appearance]:
    """Look at the headers of up to 64 videos, evenly spaced over the listing; of none without frames. The store
    remembers those that were looked at."""
    if not given.has_frames:
        return []
    source = given.source
    chosen = evenly_spaced(len(source.names), MOST_VIDEOS)
    keys = {index: _key(source.names[index], contents[index], versions) for index in chosen if index in contents}
    probes = {index: known for index, key in keys.items() if (known := _known(store.content(key))) is not None}

    def work(index: int) -> Iterator[Probe | None]:
        try:
            yield probe(source.video(index))
        except VideoError:  # this is reported when the video is used
            yield None

    learnt: list[tuple[str, str]] = []
    for index, found in in_order([index for index in chosen if index not in probes], work, workers=workers):
        if found is not None:
            probes[index] = found
            if index in keys and found.codec != RAW:
                learnt.append((keys[index], json.dumps(asdict(found))))
    store.remember_contents(learnt)
    some = ((source.names[index], probes.get(index)) for index in chosen)
    return [Appearance(name, known.size if known else None, known) for name, known in some]


def _key(name: str, content: str, versions: Mapping[str, str]) -> str:
    """Return the sha256 of everything that a header depends on."""
    everything = {"header": 2, "suffix": suffix(name), "content": content, "versions": dict(versions)}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _known(text: str | None) -> Probe | None:
    """Return the header in a text from the store, None where it holds none."""
    try:
        return None if text is None else Probe.from_head(json.loads(text))
    except (ValueError, TypeError, KeyError):
        return None
