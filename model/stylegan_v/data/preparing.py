"""Making a training set: square frames of one size, as JPEG files in a folder for each video or piece of one.

Every video is read once, frame by frame, into a hidden folder. When it is whole, its pieces get their names, and it is
recorded as finished. A run that was interrupted anywhere goes on from there, and leaves the same bytes as a run that
was not.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fvd_bench.errors import VideoError, cause
from fvd_bench.progress import Progress, silent
from fvd_bench.sources.opening import ClipSource, open_source
from fvd_bench.videos.video import Video
from fvd_bench.words import agreeing, counted
from stylegan_v.data.crops import CentreCrop, Crop, cut, read_boxes
from stylegan_v.data.datasets import Choice, Dataset
from stylegan_v.data.folder import PreparedFolder, PrepareSettings, Record
from stylegan_v.data.frames import every_frame
from stylegan_v.data.labels import read_labels
from stylegan_v.data.masks import MaskCrop
from stylegan_v.data.prefetch import Stop, run_ahead
from stylegan_v.errors import DataError


@dataclass(slots=True)
class Preparation:
    """What a run found and did.

    records: those of the videos of the set, in order. kept: how many of them an earlier run had finished.
    skipped: (name, reason) of each video that gave no frames. notes: sentences about source and set.
    """

    records: list[Record] = field(default_factory=list)
    kept: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare(
    path: Path,
    out: Path,
    settings: PrepareSettings,
    *,
    dataset: Dataset | None = None,
    boxes: Path | None = None,
    workers: int = 4,
    progress: Progress = silent,
) -> Preparation:
    """Make a training set of the videos of a source, or go on making it. Raises DataError, SourceError.

    dataset: the set that the source is, of which its videos, its masks and its classes are used; None for all videos,
        and the labels that lie beside them.
    boxes: file of the squares to cut out, see `crops`; None for the middle of each frame, or the face where the set has
        masks.
    """
    opened = open_source(path)
    source = dataset.choose(opened) if dataset else opened
    labels = source.labels() if isinstance(source, Choice) else read_labels(path, source.names)
    cropping = _cropping(source, boxes, begin=settings.skip)
    try:
        with PreparedFolder.open(
            out, path, source.names, settings, crop=cropping.name, dataset=dataset.name if dataset else None
        ) as folder:
            done = _run(source, folder, cropping, workers=workers, progress=progress)
            old_labels = folder.finish(done.records, labels)
    except OSError as error:
        raise DataError(
            f"{error.filename or out} cannot be written: {cause(error)}; what is finished is kept, the same "
            "command goes on from there"
        ) from error
    if old_labels:
        done.notes.append(f"no video of {path} has a label, so the labels in {out} are put aside, as {old_labels.name}")
    stale = folder.stale(done.records)
    if stale:
        done.notes.append(
            f"of the videos that an earlier run prepared {len(stale)} {agreeing(len(stale), 'are')} not among those "
            f"that this one could use, {stale[0].video} for one; all frames are kept in {out}"
        )
    if not any(record.pieces for record in folder.records.values()):
        named = "; ".join(f"{name}: {reason}" for name, reason in done.skipped[:3])
        raise DataError(f"{source.name}: none of {counted(len(done.skipped), 'video')} gave any frames ({named})")
    return done


@dataclass(frozen=True, slots=True)
class _Cropping:
    """Which squares are cut out. name: as the record of the settings has it. of: gives that of a video by its name."""

    name: Literal["centre", "boxes", "masks"]
    of: Callable[[str], Crop | None]


def _cropping(source: ClipSource, boxes: Path | None, *, begin: int) -> _Cropping:
    if boxes is not None:
        return _Cropping("boxes", read_boxes(boxes, source.names).get)
    if isinstance(source, Choice) and source.dataset.has_masks:
        masks = source.masks()
        return _Cropping("masks", lambda name: MaskCrop(masks[name], begin) if name in masks else None)
    return _Cropping("centre", lambda name: CentreCrop())


_WITHOUT = {"boxes": "has no box", "masks": "has no mask"}
"""Why a video without a square is skipped."""


def _run(
    source: ClipSource,
    folder: PreparedFolder,
    cropping: _Cropping,
    *,
    workers: int,
    progress: Progress,
) -> Preparation:
    done = Preparation(notes=list(source.notes))
    total = len(source.names)
    writer = _Writer(source, folder, cropping, progress)
    with contextlib.closing(run_ahead(range(total), writer.work, workers=workers, ahead=4 * workers)) as results:
        for name, result in zip(source.names, results, strict=True):
            if isinstance(result, str):
                done.skipped.append((name, result))
            else:
                done.records.append(result.record)
                if result.partial is None:
                    done.kept += result.record.pieces > 0
                else:
                    folder.take_in(result.record, result.partial)
                if not result.record.pieces:
                    done.skipped.append((name, _too_short(result.record, folder.settings)))
            writer.tell_videos(total)
    return done


@dataclass(frozen=True, slots=True)
class _Whole:
    """A finished video. partial: the hidden folder of its pieces 0, 1, …; None if they have their names already."""

    record: Record
    partial: Path | None


class _Writer:
    """Cuts videos into hidden folders, several at a time."""

    def __init__(self, source: ClipSource, folder: PreparedFolder, cropping: _Cropping, progress: Progress) -> None:
        self._source = source
        self._folder = folder
        self._cropping = cropping
        self._progress = progress
        self._telling = threading.Lock()
        self._num_videos = self._num_frames = 0

    def work(self, place: int, stop: Stop) -> _Whole | str:
        """Return a video that is written whole, now or before, or why there is none. It runs in a thread."""
        stop.check()
        name = self._source.names[place]
        crop = self._cropping.of(name)
        if crop is None:
            return _WITHOUT[self._cropping.name]
        video = self._source.video(place)
        try:
            state = video.state()  # taken before reading, so that a change in between is seen next time
            record = self._folder.finished(name, state, crop.digest())
            return _Whole(record, None) if record else self._write(name, video, state, crop, stop)
        except VideoError as error:
            return str(error)

    def tell_videos(self, total: int) -> None:
        """Report that one more video is done. total: number of all videos."""
        with self._telling:
            self._num_videos += 1
            self._progress("videos", self._num_videos, total)

    def _tell_frames(self) -> None:
        with self._telling:
            self._num_frames += 1
            self._progress("frames", self._num_frames, 0)

    def _write(self, name: str, video: Video, state: str, crop: Crop, stop: Stop) -> _Whole:
        settings = self._folder.settings
        chunk = settings.chunk
        partial = Path(tempfile.mkdtemp(prefix=self._folder.PARTIAL, dir=self._folder.path))
        count = damaged = 0
        enlarged = False
        try:
            for count, frame in enumerate(every_frame(video, settings.skip), start=1):
                stop.check()
                piece, place = divmod(count - 1, chunk) if chunk else (0, count - 1)
                if place == 0:
                    (partial / str(piece)).mkdir()
                height, width, _ = frame.pixels.shape
                box = crop.box(settings.skip + count - 1, width, height)
                enlarged |= box.right - box.left < settings.resolution
                damaged += frame.damaged
                image = cut(frame.pixels, box, settings.resolution)
                image.save(partial / str(piece) / f"{place:06d}.jpg", quality=settings.quality)
                self._tell_frames()
            crop.end()
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        pieces = count // chunk if chunk else min(count, 1)
        written = pieces * chunk if chunk else count
        record = Record(
            video=name,
            state=state,
            crop=crop.digest(),
            pieces=pieces,
            frames=written,
            left_over=count - written,
            damaged=damaged,
            enlarged=enlarged,
        )
        return _Whole(record, partial)


def _too_short(record: Record, settings: PrepareSettings) -> str:
    behind = f" behind the first {settings.skip}" if settings.skip else ""
    found, needed = counted(record.left_over, "frame", "decode"), settings.chunk or 1
    return f"too short: {found}{behind}, {needed} {agreeing(needed, 'are')} needed"
