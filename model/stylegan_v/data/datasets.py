"""The five sets of the paper, appendix E: which of the published files are used, and how they become frames and labels.

Each is known by the names of its files, in the layout in which it is published; that it lies in folders above, or in an
archive, makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fvd_bench.sources.opening import ClipSource
from fvd_bench.videos.files import bare_name
from fvd_bench.videos.video import Video
from fvd_bench.words import counted
from stylegan_v.data.labels import Label
from stylegan_v.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A set, and what of it is used.

    name: that of its run file. title: what its authors call it.
    names: a pattern of the names of the videos that are used, without suffix; its group `label`, where there is one, is
        the class. expected: the same for people.
    resolution: side of the paper's frames in pixels. skip, chunk: see `PrepareSettings`.
    videos: how many such videos are published, None where that is not known.
    has_masks: whether a second video of each, in the folder `mask` beside `original`, says where the face is.
    """

    name: str
    title: str
    names: str
    expected: str
    resolution: int = 256
    skip: int = 0
    chunk: int | None = None
    videos: int | None = None
    has_masks: bool = False

    def choose(self, source: ClipSource) -> Choice:
        """Return the videos that are used. Raises DataError, which says what was found, where there are none."""
        places = tuple(
            place for place, name in enumerate(source.names) if re.fullmatch(self.names, bare_name(name)) is not None
        )
        if not places:
            raise DataError(
                f"{source.name} is not laid out as {self.title} is published: expected {self.expected}, found "
                f"{counted(len(source.names), 'video')} with other names, {source.names[0]} for one"
            )
        return Choice(self, source, places)


@dataclass(frozen=True)
class Choice:
    """The videos of a source that a set is made of; a source itself. places: theirs among those of the whole source."""

    dataset: Dataset
    whole: ClipSource
    places: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def kind(self) -> str:
        return self.whole.kind

    @cached_property
    def names(self) -> Sequence[str]:
        return [self.whole.names[place] for place in self.places]

    @property
    def notes(self) -> Sequence[str]:
        known = self.dataset.videos
        if known is None or known == len(self.places):
            return self.whole.notes
        here = counted(len(self.places), "video")
        found = f"{self.name} has {here} of {self.dataset.title}, of which {known:,} are published"
        return (*self.whole.notes, found)

    def video(self, index: int) -> Video:
        return self.whole.video(self.places[index])

    def labels(self) -> dict[str, Label]:
        """Return the class of each video that names one, counted in the order of the names of the classes."""
        found = {name: re.fullmatch(self.dataset.names, bare_name(name)) for name in self.names}
        named = {name: match["label"] for name, match in found.items() if match and "label" in match.re.groupindex}
        classes = {label: place for place, label in enumerate(sorted(set(named.values())))}
        return {name: classes[label] for name, label in named.items()}

    def masks(self) -> Mapping[str, Video]:
        """Return the mask of each video that has one, by the video's name."""
        known = {bare_name(name): place for place, name in enumerate(self.whole.names)}
        wanted = {name: re.sub(r"original/([^/]+)$", r"mask/\1", bare_name(name)) for name in self.names}
        return {name: self.whole.video(known[mask]) for name, mask in wanted.items() if mask in known}


DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="ffs",
            title="FaceForensics",
            names=r"(?:(?:.+/)?train/)?original/[^/]+",
            expected="train/original/NAME and train/mask/NAME",
            videos=704,
            has_masks=True,
        ),
        Dataset(
            name="sky_timelapse",
            title="SkyTimelapse",
            names=r"(?:(?:.+/)?sky_train/)?(?P<film>[^/]+)/(?P=film)_\d+",
            expected="folders of frames named sky_train/FILM/FILM_1",
        ),
        Dataset(
            name="ucf101",
            title="UCF-101",
            names=r"(?:.+/)?v_(?P<label>[A-Za-z]+)_g\d+_c\d+",
            expected="videos named v_CLASS_g01_c01",
            videos=13_320,
        ),
        Dataset(
            name="rainbow_jelly",
            title="RainbowJelly",
            names=r"[^/]+",
            expected="one long video, in no folder below",
            skip=150,
            chunk=512,
        ),
        Dataset(
            name="mead",
            title="MEAD",
            names=r"(?:.+/)?(?P<label>[MW]\d{3})/video/front/[^/]+/level_\d/\d+",
            expected="M003/video/front/EMOTION/level_1/001",
            resolution=1024,
        ),
    )
}
"""Name of a run file -> its set."""
