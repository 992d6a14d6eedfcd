"""How the videos of two sides move, and what is wrong with that: the numbers that stand beside FVD."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.features.distributed import WHOLE, Share
from fvd_bench.features.jobs import VideosDone
from fvd_bench.features.store import Entry, Facts, FeatureStore
from fvd_bench.finding import Finding
from fvd_bench.inspection.motion import Motion, SideMotion, measure
from fvd_bench.sources.opening import ClipSource
from fvd_bench.videos.prefetch import in_order
from fvd_bench.videos.video import Video
from fvd_bench.words import percent

MOST_VIDEOS = 64
"""With so many on both sides two standard errors of a share are at most 0.18, which is below the 0.20 that a share has
to exceed the other by: more videos would not find more."""

MEASURE = 3
"""Version of our own arithmetic, raised whenever that moves a number. What older versions stored is then not used."""

_SLOWER = 1 / 3
_MORE = 0.20
_ALIKE = 1 / 4
_FEWEST_FOR_SPREAD = 16
"""The four limits of the findings. Real sets of ten videos or more were halved: no half had a median energy below 0.36
times the other half's. With 16 videos or more in a half, that factor was at least 0.87, and a half's spread at least
0.58 times the other's."""

_ROW = 4
"""Numbers in a row of a stored motion."""

_ERRORS = 2.0
"""A difference must also exceed this many standard errors, since a few videos may differ by much."""


def motions(
    source: ClipSource,
    store: FeatureStore,
    chosen: Sequence[int],
    *,
    versions: Mapping[str, str],
    workers: int,
    progress: VideosDone,
    share: Share = WHOLE,
) -> dict[int, Motion]:
    """Return the motion of some videos by their index, in ascending order.

    chosen: indices of the videos. versions: of all software that reaches the numbers, as for features.
    share: the part of these videos that this process measures. Where other processes measure the rest, the processes
    exchange what they find.

    Videos that cannot be read, and those of one frame, are left out. What the store holds is not measured again. What
    is measured is put into the store if that knows the file's contents, which is so once an `Extraction` of the source
    was made. Raises CacheError.
    """
    mine = [index for index in chosen if share.has(index)]  # as for features, which are read along with these

    def measured() -> tuple[dict[int, Motion], list[tuple[str, Entry]], str | None]:
        return *_measured(source, store, mine, versions, workers, progress), store.place

    found: dict[int, Motion] = {}
    for theirs, entries, place in share.everyone(measured):
        found |= theirs
        if share.exchanged and (place is None or place != store.place):
            store.put(entries)
    return {index: found[index] for index in sorted(found)}


class PassingMotion:
    """Measures the motion of some videos of a side while they are read for their clips: a `Watch` of an `Extraction`.

    What the store holds is not measured. Whoever asks `motions` later finds in the store what was measured.
    contents: the content digests of the side's videos, by index. The other arguments are those of `motions`.
    """

    def __init__(
        self, store: FeatureStore, chosen: Sequence[int], contents: Mapping[int, str], *, versions: Mapping[str, str]
    ) -> None:
        self._store = store
        keys = {index: motion_key(contents[index], versions) for index in chosen if index in contents}
        self._absent = {index: key for index, key in keys.items() if not _is_whole(store.get(key))}
        self._begun: dict[str, object] = {}
        self._found: dict[str, Motion] = {}

    def __call__(self, index: int, video: Video) -> Callable[[], None]:
        key, reading = self._absent.get(index), object()
        if key is None or self._begun.setdefault(key, reading) is not reading:  # other threads read the same video
            return _nothing
        try:
            return partial(self._found.__setitem__, key, measure(video))
        except VideoError:  # `motions` leaves it out, too
            return _nothing

    def store(self) -> None:
        """Put what was measured into the store. Raises CacheError."""
        self._store.put((key, _entry(motion)) for key, motion in self._found.items())
        self._store.commit()


def _measured(
    source: ClipSource,
    store: FeatureStore,
    chosen: Sequence[int],
    versions: Mapping[str, str],
    workers: int,
    progress: VideosDone,
) -> tuple[dict[int, Motion], list[tuple[str, Entry]]]:
    """Return the motion of the chosen videos that can be read, and the entries that the store now has of it."""
    found: dict[int, Motion] = {}
    keys: dict[int, tuple[str, str]] = {}
    entries: list[tuple[str, Entry]] = []
    partly: list[int] = []  # stored by an older version, without the changes of the frames
    for index in chosen:
        state = _state(source, index)
        content = None if state is None else store.content(state)
        if state is None or content is None:
            continue
        keys[index] = state, motion_key(content, versions)
        entry = store.get(keys[index][1])
        if entry is not None:
            found[index] = _motion(entry)
            entries.append((keys[index][1], entry))
            partly += [index] if found[index].changes is None else []
    absent = [index for index in chosen if index not in found or index in partly]
    known = len(entries)

    def work(index: int) -> Iterator[Motion | None]:
        try:
            yield measure(source.video(index))
        except VideoError:
            yield None

    for done, (index, motion) in enumerate(in_order(absent, work, workers=workers)):
        if motion is not None:
            found[index] = motion
            state, key = keys.get(index, (None, ""))
            if state is not None and _state(source, index) == state:  # leaves out a file that changed meanwhile
                entries.append((key, _entry(motion)))
        progress(done + 1, len(absent))
    if new := entries[known:]:
        store.put(new)
        store.commit()
    return found, entries


def findings(real: SideMotion, fake: SideMotion) -> list[Finding]:
    """List what is wrong with the motion of the fake videos, compared with that of the real ones."""
    found: list[Finding] = []
    if _stand_still(real, fake):
        found.append(
            Finding(
                "fake-still",
                f"the fake videos hardly move: from frame to frame they change by {fake.median:.3g} grey levels (the "
                f"median of {fake.videos} videos), the real ones by {real.median:.3g}; {percent(fake.still)} of them "
                f"stand still, of the real ones {percent(real.still)}. FVD weighs single frames more than motion, and "
                "sees nothing after the last frame of its clips",
            )
        )
    if _exceeds(fake.looping, fake.asked, real.looping, real.asked):
        found.append(
            Finding(
                "fake-loops",
                f"{percent(fake.looping)} of the fake videos repeat themselves ({fake.asked} could be asked), against "
                f"{percent(real.looping or 0)} of the real ones ({real.asked}). FVD cannot see that where its clips "
                "are shorter than a loop, and hardly where they are longer",
            )
        )
    if not found and _move_alike(real, fake):
        found.append(
            Finding(
                "fake-alike",
                "the fake videos all move by the same amount: the spread of their motion is "
                f"{percent(fake.spread / fake.mean)} of its mean, that of the real ones "
                f"{percent(real.spread / real.mean)}. FVD does not tell this from other errors",
            )
        )
    return found


def evenly_spaced(total: int, most: int) -> Sequence[int]:
    """Return at most `most` of the indices below `total`. They do not depend on the seed, so they are measured once."""
    return range(total) if total <= most else [index * total // most for index in range(most)]


def motion_key(content: str, versions: Mapping[str, str]) -> str:
    """Return the sha256 of everything that the motion of a video depends on. content: the digest of the video."""
    everything = {"motion": MEASURE, "content": content, "versions": dict(versions)}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _stand_still(real: SideMotion, fake: SideMotion) -> bool:
    if _exceeds(fake.still, fake.videos, real.still, real.videos):
        return True
    if min(real.videos, fake.videos) < 2:  # of one video nothing says how far others may lie
        return False
    error = math.hypot(*(side.spread / math.sqrt(side.videos - 1) for side in (real, fake)))
    return fake.median < _SLOWER * real.median and real.mean - fake.mean > _ERRORS * error


def _exceeds(fake: float | None, fakes: int, real: float | None, reals: int) -> bool:
    """Return whether a share of fake videos exceeds that of real ones beyond chance. A real None counts as 0."""
    if fake is None:
        return False
    real = real or 0.0
    pooled = (fake * fakes + real * reals) / (fakes + reals)
    error = math.sqrt(pooled * (1 - pooled) * (1 / fakes + 1 / max(reals, 1)))
    return fake - real >= _MORE and fake - real > _ERRORS * error


def _move_alike(real: SideMotion, fake: SideMotion) -> bool:
    if min(real.videos, fake.videos) < _FEWEST_FOR_SPREAD or min(real.mean, fake.mean) <= 0:
        return False
    return fake.spread / fake.mean < _ALIKE * real.spread / real.mean


def _state(source: ClipSource, index: int) -> str | None:
    try:
        return source.video(index).state()
    except VideoError:
        return None


def _is_whole(entry: Entry | None) -> bool:
    """Return whether an entry holds all that is measured today, and not only what older versions stored."""
    return entry is not None and _motion(entry).changes is not None


def _nothing() -> None:
    """Keep nothing."""


def _entry(motion: Motion) -> Entry:
    """Return rows of four numbers: what is known of the whole video, and after it the changes of its frames."""
    repetition = math.nan if motion.repetition is None else motion.repetition
    values = [motion.frames, motion.energy, motion.calm, repetition, *(motion.changes or ())]
    values += [math.nan] * (-len(values) % _ROW)
    return Entry(np.array(values, dtype=np.float32).reshape(-1, _ROW), Facts())


def _motion(entry: Entry) -> Motion:
    frames, energy, calm, repetition, *changes = entry.features.ravel().tolist()
    known = tuple(changes[: int(frames) - 1]) if changes else None
    return Motion(int(frames), energy, calm, None if math.isnan(repetition) else repetition, known)
